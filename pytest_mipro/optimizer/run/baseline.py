"""Measure the baseline: the committed prompts on all cases, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pytest_mipro.errors import ConfigurationError, LimitReachedError
from pytest_mipro.optimizer.budget.cost_model import (
    Expectation,
    Sizes,
    calls_by_row,
    sizes_of,
)
from pytest_mipro.optimizer.budget.limits import (
    Limit,
    LimitTooSmallError,
    limit_of,
    shortage,
)
from pytest_mipro.optimizer.measuring.disturbance import Disturbed, disturbed_tests
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.measuring.expectations import expectations_of, refuse_broken_tests
from pytest_mipro.optimizer.run.events import BaselineMeasured
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import (
    Case,
    CaseRun,
    Evaluation,
    Study,
    cases_of,
    row_tags,
    seen_inputs,
)
from pytest_mipro.optimizer.study.split import Split, split_rows
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import LMClient, samples_at_0
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.number_words import counted

_UNLIMITED = 10**9
# A program may make this many times the committed prompts' calls on the same rows, and a few more.
_CALLS_FACTOR = 1.5
_CALLS_EXTRA = 10
# The decision gets this many times what it is expected to take, in money and in time.
_DECISION_FACTOR = 1.25
_TIME_FACTOR = 1.5
# A case may make this many times the most calls that one case made under the committed prompts.
_MOST_CALLS_FACTOR = 5
_COMMITTED: Mapping[Path, Prompt] = MappingProxyType({})


class BaselineLimitError(LimitTooSmallError):
    """A limit ends within the baseline, which alone tells what would be enough."""


@dataclass(frozen=True)
class Baseline:
    """The measured baseline of a study. `study` holds the cases that were not skipped.

    `evaluation` holds the committed prompts' scores. `expectation` is of programs run with all
    repeats, `once` of one run of each case; `sizes` are those of its requests.
    `signatures` are the modules to optimise in order of
    their first call, `frozen` the names of the others; `models` and `committed` are each module's
    model and prompt by prompt path; `rules` apply to every later measurement.

    `search_sample` is the first sample index of the search: 0 if equal requests have one reply. If
    replies are sampled, it comes after the gate's own samples, so that the finalist's score does
    not rest on the replies it was chosen by. `seconds` is how long the baseline took. For the sake
    of `disturbed` tests all cases run one at a time.
    """

    study: Study
    split: Split
    evaluation: Evaluation
    expectation: Expectation
    once: Expectation
    sizes: Sizes
    signatures: tuple[Signature, ...]
    frozen: tuple[str, ...]
    models: Mapping[Path, str]
    committed: Mapping[Path, Prompt]
    rules: MeasuringRules
    search_sample: int = 0
    seconds: float = 0.0
    disturbed: tuple[Disturbed, ...] = ()

    @property
    def deciding(self) -> tuple[Case, ...]:
        """The cases that decide: of the holdout rows, or of validation rows if there are none."""
        return cases_of(self.study, self.split.holdout or self.split.validation)

    @property
    def deciding_rows(self) -> Sequence[str]:
        """The rows whose calls are new to the decision.

        Validation rows are measured before a finalist is chosen, unless on other samples.
        """
        validation = set() if self.search_sample else set(self.split.validation)
        return sorted({case.row for case in self.deciding} - validation)

    @property
    def final_rows(self) -> Sequence[str]:
        """The rows whose calls are new to the final pass."""
        known = {case.row for case in self.deciding}
        known |= set() if self.search_sample else set(self.split.validation)
        return sorted(set(self.expectation.calls) - known)

    def dearest(self, program: Mapping[Path, Prompt], teacher: str | None = None) -> Amount:
        """Return the highest worst case of a request under a program."""
        most = self.sizes.dearest
        return self.expectation.dearer(most, program, teacher)

    def worst(
        self,
        rows: Sequence[str],
        program: Mapping[Path, Prompt] = _COMMITTED,
        teacher: str | None = None,
    ) -> Amount:
        """Return the most that a program may take on these rows before it is dropped.

        Other prompts are the committed ones; a `teacher` may answer for its modules.
        """
        made = sum(call.requests for row in rows for call in self.expectation.calls[row])
        calls = int(_CALLS_FACTOR * made) + _CALLS_EXTRA
        return replace(self.dearest(program, teacher).times(calls), calls=calls)

    def expects(
        self,
        rows: Sequence[str],
        program: Mapping[Path, Prompt] = _COMMITTED,
        teacher: str | None = None,
    ) -> Amount:
        """Return what one run of the cases of these rows is expected to take.

        It holds a call in flight, which the last one is until its reply comes.
        """
        expected = self.once.of(rows, program, teacher)
        return expected + replace(self.dearest(program, teacher), calls=0) if rows else NOTHING

    def _needs(self, rows: Sequence[str], program: Mapping[Path, Prompt]) -> Amount:
        expected = self.expectation.of(rows, program).times(_DECISION_FACTOR)
        return expected + replace(self.dearest(program), calls=0) if rows else NOTHING

    def final_needs(self, program: Mapping[Path, Prompt] = _COMMITTED) -> Amount:
        """Return what the final pass needs: as expected, and a margin."""
        return self._needs(self.final_rows, program)

    def decision_needs(self, program: Mapping[Path, Prompt] = _COMMITTED) -> Amount:
        """Return what decision and final pass need."""
        return self._needs(self.deciding_rows, program) + self.final_needs(program)


def hold_for_decision(run: StudyRun, baseline: Baseline) -> None:
    """Hold back what decision and final pass need, in money and time.

    Raises LimitTooSmallError if the limits do not hold it; it also says what a search needs.
    """
    needs = baseline.decision_needs()
    if not run.hold(needs):
        short = shortage(run.settings.limits, run.ledger.spent, needs)
        if short is None:
            raise ValueError(f"{needs} fit, and can't be held")
        trial = baseline.expects(baseline.split.validation).times(2)
        raise short.error(
            "the decision with its final pass",
            f"; raise it to {short.enough()} or more, "
            f"and to about {short.enough(trial)} for a first trial",
        )
    rows = len(baseline.deciding_rows) + len(baseline.final_rows)
    # As long as the baseline takes if nothing is cached.
    calls = [call for item in baseline.evaluation.runs for call in item.calls]
    waited = sum(call.latency for call in calls) / run.settings.concurrency
    share = rows / len(baseline.expectation.calls)
    run.accounting.deadline.keep(_TIME_FACTOR * share * max(waited, baseline.seconds))


def measure_baseline(run: StudyRun) -> Baseline:
    """Measure the committed prompts and return the baseline; reports it and the plan.

    Raises MiproError if a case can't be measured, no module is called, or the budget ends.
    """
    evaluation, disturbed = _undisturbed(run)
    skipped = frozenset(evaluation.skipped)
    cases = tuple(case for case in run.study.cases if case.id not in skipped)
    if not cases:
        raise ConfigurationError(f"study {run.study.name}: every case was skipped")
    study = replace(run.study, cases=cases)
    runs = tuple(item for item in evaluation.runs if item.case.id not in skipped)
    refuse_broken_tests(runs)
    first = _first_calls(study, runs)
    found = [call.signature for call in first.values()]
    signatures = tuple(item for item in found if item.optimize)
    run.services.check_modules(signatures)
    run.services.check_baseline(evaluation)
    committed = {item.prompt_path: run.services.load_prompt(item) for item in signatures}
    cost_model = run.accounting.cost_model
    sizes = sizes_of((c for item in runs for c in item.calls), committed, cost_model.dearest)
    split = split_rows(row_tags(cases, seen_inputs(runs)), run.settings.min_holdout)
    cases = tuple(replace(case, unit=split.units[case.row]) for case in cases)
    study = replace(study, cases=cases)
    once = calls_by_row(item for item in runs if item.sample == 0)
    baseline = Baseline(
        study=study,
        split=split,
        evaluation=replace(evaluation, runs=runs),
        expectation=Expectation(calls_by_row(runs), committed, cost_model, sizes),
        once=Expectation(once, committed, cost_model, sizes),
        sizes=sizes,
        signatures=signatures,
        frozen=tuple(item.label for item in found if not item.optimize),
        models={path: call.model for path, call in first.items()},
        committed=committed,
        rules=replace(_rules(run, runs, committed), one_at_a_time=bool(disturbed)),
        disturbed=disturbed,
        search_sample=_search_sample(study, runs, run.services.client),
        seconds=run.accounting.deadline.passed,
    )
    scores = measured(baseline.evaluation.scores(), cases)
    clusters = split.clusters(case.row for case in cases)
    run.services.emit(BaselineMeasured(study.name, scores, tuple(sorted(skipped)), clusters))
    return baseline


def _undisturbed(run: StudyRun) -> tuple[Evaluation, tuple[Disturbed, ...]]:
    """Return the evaluation of all cases, and the tests for whose sake they ran one at a time.

    Cases that may not run concurrently, or that several processes share, are not checked. All else
    is, whatever the concurrency: it must not change a result.
    """
    rules = MeasuringRules(run.settings.max_calls_per_case)
    evaluation = _measure(run, run.study.cases, rules)
    concurrent = any(test.concurrent for test in run.study.tests.values())
    if not concurrent or run.services.evaluating is not None:
        return evaluation, ()
    alone = replace(rules, one_at_a_time=True)
    once = partial(_measure, run, rules=replace(alone, repeats=False))
    disturbed = disturbed_tests(evaluation, once)
    return _measure(run, run.study.cases, alone) if disturbed else evaluation, disturbed


def _measure(run: StudyRun, cases: Sequence[Case], rules: MeasuringRules) -> Evaluation:
    limits = run.settings.limits
    calls = _UNLIMITED if limits.calls is None else limits.calls
    whole = Amount(calls, limits.tokens, limits.nanodollars) - run.ledger.spent
    part = run.ledger.part("the baseline", whole, stage="baseline")
    if part is None:
        raise ValueError("the baseline has all that the limits leave")
    where = f"within the baseline of {counted(len(run.study.cases), 'case')}; raise it"
    try:
        if rules.repeats:
            evaluation = run.measure("baseline", {}, cases, part, rules)
        else:  # a sample that runs again is no step of its own
            evaluation = run.evaluator.start({}, cases, part, rules).result()
    except LimitReachedError as error:
        raise BaselineLimitError(f"{error}, {where}", limit_of(error)) from None
    if evaluation.over_budget:
        dearest = run.accounting.cost_model.dearest
        short = shortage(limits, part.ledger.spent, dearest)
        limit = short.limit if short else Limit("calls", limits.calls or 0)
        raise BaselineLimitError(f"{limit} ends {where}", limit)
    return evaluation


def _first_calls(study: Study, runs: Iterable[CaseRun]) -> dict[Path, ModuleCall]:
    """Return each module's first call in the traces, by prompt path in order of these calls."""
    found: dict[Path, ModuleCall] = {}
    for item in runs:
        for call in item.calls:
            found.setdefault(call.signature.prompt_path, call)
    if not any(call.signature.optimize for call in found.values()):
        raise ConfigurationError(
            f"study {study.name}: its cases called no LM module that can be optimised; decorate "
            "the pipeline's functions with @lm_module, or put str(text) or text.format(…) of a "
            "prompt_text(…) into its own messages as it is, within the case"
        )
    return found


def _search_sample(study: Study, runs: Sequence[CaseRun], client: LMClient) -> int:
    repeats = max(study.tests[case.test].repeats for case in study.cases)
    calls = [call for run in runs for call in run.calls]
    asked = any(call.parameters.get("temperature") != 0 for call in calls)
    sampled = asked or any(samples_at_0(client, model) for model in {call.model for call in calls})
    return repeats if repeats > 1 or sampled else 0


def _rules(
    run: StudyRun, runs: Sequence[CaseRun], committed: Mapping[Path, Prompt]
) -> MeasuringRules:
    """Return the rules of all later measurements, drawn from the baseline's runs."""
    most = max(sum(call.requests for call in item.calls) for item in runs)
    return MeasuringRules(
        run.settings.max_calls_per_case or _MOST_CALLS_FACTOR * most,
        expectations_of(runs, committed),
    )
