"""Measure the baseline: the committed prompts on all cases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_mipro.errors import ConfigurationError, LimitReachedError
from pytest_mipro.optimizer.budget.cost_model import Sizes, sizes_of
from pytest_mipro.optimizer.budget.expectation import Expectation, calls_by_row
from pytest_mipro.optimizer.budget.limits import (
    Limit,
    LimitTooSmallError,
    limit_of,
    shortage,
)
from pytest_mipro.optimizer.measuring.disturbance import Disturbed, disturbed_tests
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.measuring.expectations import expectations_of, refuse_broken_tests
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import BaselineMeasured
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import (
    Case,
    CaseRun,
    Evaluation,
    Study,
    row_tags,
    seen_inputs,
)
from pytest_mipro.optimizer.study.split import Split, split_rows
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import LMClient, samples_at_0
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.text.number_words import counted

_UNLIMITED = 10**9
# A case may make this many times the most calls that one case made under the committed prompts.
_MOST_CALLS_FACTOR = 5


class BaselineLimitError(LimitTooSmallError):
    """A limit ends within the baseline, which alone tells what would be enough."""


def measure_baseline(run: StudyRun) -> Baseline:
    """Measure the committed prompts and return the baseline; reports it.

    Raises MiproError if a case can't be measured, no module is called, or the budget ends.
    """
    evaluation, disturbed = _undisturbed(run)
    skipped = frozenset(evaluation.skipped)
    runs = tuple(item for item in evaluation.runs if item.case.id not in skipped)
    if not runs:
        raise ConfigurationError(f"study {run.study.name}: every case was skipped")
    refuse_broken_tests(runs)
    first = _first_calls(run.study, runs)
    found = [call.signature for call in first.values()]
    signatures = tuple(item for item in found if item.optimize)
    run.services.check_modules(signatures)
    run.services.check_baseline(evaluation)
    committed = {item.prompt_path: run.services.load_prompt(item) for item in signatures}
    study, split = _split(run, runs, skipped)
    expectation, once, sizes = _expectations(run, runs, committed)
    baseline = Baseline(
        study=study,
        split=split,
        evaluation=replace(evaluation, runs=runs),
        expectation=expectation,
        once=once,
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
    scores = measured(baseline.evaluation.scores(), study.cases)
    clusters = split.clusters(case.row for case in study.cases)
    run.services.emit(BaselineMeasured(study.name, scores, tuple(sorted(skipped)), clusters))
    return baseline


def _split(run: StudyRun, runs: Sequence[CaseRun], skipped: Collection[str]) -> tuple[Study, Split]:
    """Return the study of the cases that were not skipped, each with its unit, and their split."""
    cases = [case for case in run.study.cases if case.id not in skipped]
    split = split_rows(row_tags(cases, seen_inputs(runs)), run.settings.min_holdout)
    units = tuple(replace(case, unit=split.units[case.row]) for case in cases)
    return replace(run.study, cases=units), split


def _expectations(
    run: StudyRun, runs: Sequence[CaseRun], committed: Mapping[Path, Prompt]
) -> tuple[Expectation, Expectation, Sizes]:
    """Return what programs are expected to take with all repeats and in one run, and the sizes."""
    cost_model = run.accounting.cost_model
    calls = (call for item in runs for call in item.calls)
    sizes = sizes_of(calls, committed, cost_model.dearest)
    once = [item for item in runs if item.sample == 0]
    repeated, single = (
        Expectation(calls_by_row(some), committed, cost_model, sizes) for some in (runs, once)
    )
    return repeated, single, sizes


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
    limits, before = run.settings.limits, run.ledger.spent
    calls = _UNLIMITED if limits.calls is None else limits.calls
    whole = Amount(calls, limits.tokens, limits.nanodollars) - before
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
    # Replies longer than they may be can exceed a limit that held their calls at worst.
    if evaluation.over_budget or not run.ledger.spent.within(limits):
        dearest = run.accounting.cost_model.dearest
        short = shortage(limits, before + part.ledger.spent, dearest)
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
