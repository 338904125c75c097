"""Measure the baseline: the committed prompts on all cases, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from pytest_mipro.errors import BudgetError, ConfigurationError, LimitReachedError
from pytest_mipro.optimizer.budget.cost_model import (
    CALLS_EXTRA,
    CALLS_FACTOR,
    WorstCase,
    calls_by_row,
)
from pytest_mipro.optimizer.budget.limits import Limit, LimitTooSmallError, limit_of
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.measuring.expectations import MeasurementError, expectations_of
from pytest_mipro.optimizer.run.events import BaselineMeasured, Plan
from pytest_mipro.optimizer.run.forecast import Forecast, Forecaster, stage_sizes
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.statistics.decide import detectable_lift
from pytest_mipro.optimizer.study.amount import Amount, total
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
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature

_UNLIMITED = 10**9
# A case may make this many times the most calls that one case made under the committed prompts.
_MOST_CALLS_FACTOR = 5
_COMMITTED: Mapping[Path, Prompt] = MappingProxyType({})


@dataclass(frozen=True)
class Baseline:
    """The measured baseline of a study. `study` holds the cases that were not skipped.

    `evaluation` holds the committed prompts' scores, `row_calls` their calls for each row, `usage`
    their tokens and cost if these are limited. `signatures` are the modules to optimise in order of
    their first call, `frozen` the names of the others; `models` and `committed` are each module's
    model and prompt by prompt path; `rules` apply to every later measurement.

    `search_sample` is the first sample index of the search: 0 if equal requests have one reply. If
    replies are sampled, it comes after the gate's own samples, so that the finalist's score does
    not rest on the replies it was chosen by. `seconds` is how long the baseline took.
    """

    study: Study
    split: Split
    evaluation: Evaluation
    row_calls: Mapping[str, int]
    usage: WorstCase | None
    signatures: tuple[Signature, ...]
    frozen: tuple[str, ...]
    models: Mapping[Path, str]
    committed: Mapping[Path, Prompt]
    rules: MeasuringRules
    search_sample: int = 0
    seconds: float = 0.0

    @property
    def deciding(self) -> tuple[Case, ...]:
        """The cases that decide: of the holdout rows, or of validation rows if there are none."""
        return cases_of(self.study, self.split.holdout or self.split.validation)

    @property
    def worst_full(self) -> Amount:
        """The most that a full evaluation may take; the search keeps it until its end."""
        return self.worst(self.split.validation)

    def worst(
        self,
        rows: Sequence[str],
        program: Mapping[Path, Prompt] = _COMMITTED,
        teacher: str | None = None,
    ) -> Amount:
        """Return the most that a program may take on these rows before it is dropped.

        Other prompts are the committed ones; a `teacher` may answer for its modules.
        """
        calls = int(CALLS_FACTOR * sum(map(self.row_calls.__getitem__, rows))) + CALLS_EXTRA
        if self.usage is None:
            return Amount(calls)
        return replace(self.usage.of(rows, program, teacher), calls=calls)


def measure_baseline(run: StudyRun) -> Baseline:
    """Measure the committed prompts and return the baseline; reports it and the plan.

    Raises MiproError if a case can't be measured, no module is called, or the budget ends.
    """
    evaluation = _measure(run)
    skipped = frozenset(evaluation.skipped)
    cases = tuple(case for case in run.study.cases if case.id not in skipped)
    if not cases:
        raise ConfigurationError(f"study {run.study.name}: every case was skipped")
    study = replace(run.study, cases=cases)
    runs = tuple(item for item in evaluation.runs if item.case.id not in skipped)
    _refuse_broken_tests(runs)
    first = _first_calls(study, runs)
    found = [call.signature for call in first.values()]
    signatures = tuple(item for item in found if item.optimize)
    run.services.check_modules(signatures)
    run.services.check_baseline(evaluation)
    committed = {item.prompt_path: run.services.load_prompt(item) for item in signatures}
    run.accounting.cost_model.calibrate()
    split = split_rows(row_tags(cases, seen_inputs(runs)), run.settings.min_holdout)
    cases = tuple(replace(case, unit=split.units[case.row]) for case in cases)
    study = replace(study, cases=cases)
    calls, bounded = calls_by_row(runs), run.settings.limits.by_worst_case
    baseline = Baseline(
        study=study,
        split=split,
        evaluation=replace(evaluation, runs=runs),
        row_calls={row: sum(call.requests for call in made) for row, made in calls.items()},
        usage=WorstCase(calls, committed, run.accounting.cost_model) if bounded else None,
        signatures=signatures,
        frozen=tuple(item.label for item in found if not item.optimize),
        models={path: call.model for path, call in first.items()},
        committed=committed,
        rules=_rules(run, runs, committed),
        search_sample=_search_sample(study, runs),
        seconds=run.accounting.deadline.passed,
    )
    scores = measured(baseline.evaluation.scores(), cases)
    run.services.emit(BaselineMeasured(study.name, scores, tuple(sorted(skipped))))
    run.services.emit(_plan(run, baseline))
    return baseline


def _measure(run: StudyRun) -> Evaluation:
    limits, settings = run.settings.limits, run.settings
    whole = Amount(
        _UNLIMITED if limits.calls is None else limits.calls, limits.tokens, limits.nanodollars
    )
    reservation = run.reserve(whole, "the baseline", stage="baseline")
    rules = MeasuringRules(settings.max_calls_per_case)
    where = f"within the baseline of {len(run.study.cases)} cases; raise it"
    try:
        evaluation = run.measure("baseline", {}, run.study.cases, reservation, rules)
    except LimitReachedError as error:
        raise LimitTooSmallError(f"{error}, {where}", limit_of(error)) from None
    except BudgetError:  # by the usage in the replies
        limit = (
            Limit("tokens", limits.tokens or 0)
            if limits.nanodollars is None
            else Limit("nanodollars", limits.nanodollars)
        )
        raise LimitTooSmallError(f"{limit} ends {where}", limit) from None
    if evaluation.over_budget:
        limit = Limit("calls", limits.calls or 0)
        raise LimitTooSmallError(f"{limit} ends {where}", limit)
    return evaluation


def _refuse_broken_tests(runs: Iterable[CaseRun]) -> None:
    """Refuse a test that raises an exception in every case: no prompt can repair it."""
    failures: dict[str, list[str]] = {}
    for item in runs:
        failures.setdefault(item.case.test, []).append(item.outcome.failure)
    for test, texts in failures.items():
        if all(texts):
            raise MeasurementError(
                f"{test}: each of its {len(texts)} case runs raised an exception, such as "
                f"{texts[0]}; repair the test or the pipeline"
            )


def _first_calls(study: Study, runs: Iterable[CaseRun]) -> dict[Path, ModuleCall]:
    """Return each module's first call in the traces, by prompt path in order of these calls."""
    found: dict[Path, ModuleCall] = {}
    for item in runs:
        for call in item.calls:
            found.setdefault(call.signature.prompt_path, call)
    if not any(call.signature.optimize for call in found.values()):
        raise ConfigurationError(
            f"study {study.name}: its cases called no LM module that can be optimised; decorate "
            "the pipeline's functions with @lm_module"
        )
    return found


def _search_sample(study: Study, runs: Iterable[CaseRun]) -> int:
    repeats = max(study.tests[case.test].repeats for case in study.cases)
    sampled = any(call.parameters.get("temperature") != 0 for run in runs for call in run.calls)
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


def _plan(run: StudyRun, baseline: Baseline) -> Plan:
    settings, split = run.settings, baseline.split
    tests = run.study.tests.values()
    calling = {item.case.test for item in baseline.evaluation.runs if item.calls}
    return Plan(
        study=baseline.study.name,
        modules=tuple(item.label for item in baseline.signatures),
        frozen=baseline.frozen,
        split=split,
        rounds=settings.rounds,
        trials=settings.trials,
        candidates=settings.candidates,
        minibatch=settings.batch_of(len(split.validation)),
        forecast=forecast_run(run, baseline),
        limits=settings.limits,
        max_seconds=settings.max_seconds,
        detectable=detectable_lift(split, settings.trials, run.services.holdout_uses + 1),
        one_at_a_time=tuple(sorted(test.name for test in tests if not test.concurrent)),
        silent=tuple(sorted({case.test for case in baseline.study.cases} - calling)),
    )


def forecast_run(run: StudyRun, baseline: Baseline) -> Forecast:
    """Return the forecast of the whole run, based on its baseline."""
    settings, runs = run.settings, baseline.evaluation.runs
    # If all replies so far came from the cache, the price table need not be loaded.
    priced = settings.max_cost is not None or run.accounting.ledger.live > 0
    forecaster = Forecaster(
        calls_by_row(runs),
        (len(runs), len(baseline.study.cases)),
        run.accounting.cost_model.price if priced else lambda _: None,
        baseline.committed,
        demos=settings.max_demos if settings.has("demos") else 0,
        demo_tokens=settings.max_demo_tokens,
    )
    sampled = baseline.search_sample > 0
    sizes = stage_sizes(settings, baseline.split, len(baseline.signatures), sampled=sampled)
    spent = total(entry.amount for entry in run.accounting.spending.entries())
    first = baseline.models[baseline.signatures[0].prompt_path]
    return forecaster.forecast(sizes, spent, (*settings.proposer_models, first)[0])
