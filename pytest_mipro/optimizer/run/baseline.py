"""The ground of a study: the committed prompts measured, and its modules, split and plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.errors import BudgetError, ConfigurationError, LimitReachedError
from pytest_mipro.optimizer.budget.limit_errors import Limit, LimitTooSmallError, limit_of
from pytest_mipro.optimizer.budget.worst_case import WorstCase, calls_by_row
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.measuring.expectations import MeasurementError, expectations_of
from pytest_mipro.optimizer.run.events import BaselineMeasured, Plan
from pytest_mipro.optimizer.run.forecast import Forecaster, stage_sizes
from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.search.record import Baseline
from pytest_mipro.optimizer.statistics.decide import detectable_lift
from pytest_mipro.optimizer.study.amount import Amount, total
from pytest_mipro.optimizer.study.case import cases_of
from pytest_mipro.optimizer.study.split import RowTag, split_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.run.forecast import Forecast
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.study.case import Case, Study
    from pytest_mipro.optimizer.study.runs import CaseRun, Evaluation
    from pytest_mipro.optimizer.study.split import Split
    from pytest_mipro.runtime.prompts.prompt import Prompt
    from pytest_mipro.runtime.signature.signature import Signature

_UNLIMITED = 10**9
# A case may make this many times the most calls that the committed prompts needed for one.
_MOST_CALLS_FACTOR = 5


@dataclass(frozen=True)
class Ground:
    """What stands after the baseline. `study` holds the cases that were not skipped.

    `signatures` are the modules to optimise in order of their first call, `frozen` the names of the
    others; `models` and `committed` are each module's model and prompt by prompt path; `rules` are
    those that every later measurement goes by.
    `search_sample` is the sample index that the search begins with: 0 where equal requests have one
    reply. Where replies are sampled it lies behind the gate's own samples: what chose the finalist
    is then not asked again as its score.
    """

    study: Study
    split: Split
    baseline: Baseline
    signatures: tuple[Signature, ...]
    frozen: tuple[str, ...]
    models: dict[Path, str]
    committed: dict[Path, Prompt]
    rules: MeasuringRules
    search_sample: int = 0
    seconds: float = 0.0

    @property
    def full(self) -> Amount:
        """What a full evaluation may take; the search keeps it until its end."""
        return self.baseline.worst(self.split.validation)

    @property
    def deciding(self) -> tuple[Case, ...]:
        """The cases that decide: of holdout rows, or of validation rows where there are none."""
        return cases_of(self.study, self.split.holdout or self.split.validation)


def lay_ground(run: StudyRun) -> Ground:
    """Measure the committed prompts and return the ground; tells the baseline and the plan.

    Raises MiproError where a case can't be measured, no module is called, or the budget ends.
    """
    evaluation = _measure(run)
    skipped = frozenset(evaluation.skipped)
    cases = tuple(case for case in run.study.cases if case.id not in skipped)
    if not cases:
        raise ConfigurationError(f"study {run.study.name}: every case was skipped")
    study = replace(run.study, cases=cases)
    runs = tuple(item for item in evaluation.runs if item.case.id not in skipped)
    evaluation = replace(evaluation, runs=runs)
    _refuse_broken_tests(runs)
    found = _modules(study, runs)
    signatures = tuple(item for item in found if item.optimize)
    run.services.check_modules(signatures)
    committed = {item.prompt_path: run.services.load_prompt(item) for item in signatures}
    run.accounting.cost_model.calibrate()
    ground = Ground(
        study=study,
        split=split_rows(
            (RowTag(case.row, case.split) for case in cases),
            study.salt,
            min_holdout=run.settings.min_holdout,
        ),
        baseline=_baseline(run, evaluation, committed),
        signatures=signatures,
        frozen=tuple(item.name for item in found if not item.optimize),
        models=found_models(runs),
        committed=committed,
        rules=_rules(run, runs, committed),
        search_sample=_search_sample(study, runs),
        seconds=run.accounting.deadline.passed,
    )
    whole = measured(evaluation.scores(), cases)
    run.services.emit(BaselineMeasured(study.name, whole, tuple(sorted(skipped))))
    run.services.emit(_plan(run, ground))
    return ground


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
    except BudgetError:  # by the usage that the replies report
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


def _baseline(run: StudyRun, evaluation: Evaluation, committed: Mapping[Path, Prompt]) -> Baseline:
    by_row = calls_by_row(evaluation.runs)
    row_calls = {row: sum(call.requests for call in calls) for row, calls in by_row.items()}
    bounded = run.settings.limits.by_worst_case
    takes = WorstCase(by_row, committed, run.accounting.cost_model) if bounded else None
    return Baseline(evaluation, row_calls, takes)


def _refuse_broken_tests(runs: Iterable[CaseRun]) -> None:
    """Refuse a test that raises an exception in every case: no prompt would mend it."""
    failures: dict[str, list[str]] = {}
    for item in runs:
        failures.setdefault(item.case.test, []).append(item.outcome.failure)
    for test, texts in failures.items():
        if all(texts):
            raise MeasurementError(
                f"{test}: each of its {len(texts)} case runs raised an exception, such as "
                f"{texts[0]}; repair the test or the pipeline"
            )


def _modules(study: Study, runs: Iterable[CaseRun]) -> tuple[Signature, ...]:
    """Return the modules that the traces called, in order of the first call."""
    found: dict[Path, Signature] = {}
    for item in runs:
        for call in item.calls:
            found.setdefault(call.signature.prompt_path, call.signature)
    if not any(item.optimize for item in found.values()):
        raise ConfigurationError(
            f"study {study.name}: its cases called no LM module that can be optimised; decorate "
            "the pipeline's functions with @lm_module"
        )
    return tuple(found.values())


def found_models(runs: Iterable[CaseRun]) -> dict[Path, str]:
    """Return the model of each module by prompt path: that of its first call."""
    models: dict[Path, str] = {}
    for item in runs:
        for call in item.calls:
            models.setdefault(call.signature.prompt_path, call.model)
    return models


def _search_sample(study: Study, runs: Iterable[CaseRun]) -> int:
    repeats = max(study.tests[case.test].repeats for case in study.cases)
    sampled = any(call.parameters.get("temperature") != 0 for run in runs for call in run.calls)
    return repeats if repeats > 1 or sampled else 0


def _rules(
    run: StudyRun, runs: Sequence[CaseRun], committed: Mapping[Path, Prompt]
) -> MeasuringRules:
    """Return the rules of all later measurements: most calls of a case, who calls and returns."""
    most = max(sum(call.requests for call in item.calls) for item in runs)
    return MeasuringRules(
        run.settings.max_calls_per_case or _MOST_CALLS_FACTOR * most,
        expectations_of(runs, committed),
    )


def _plan(run: StudyRun, ground: Ground) -> Plan:
    settings, split = run.settings, ground.split
    tests = run.study.tests.values()
    return Plan(
        study=ground.study.name,
        modules=tuple(item.name for item in ground.signatures),
        frozen=ground.frozen,
        split=split,
        rounds=settings.rounds,
        trials=settings.trials,
        candidates=settings.candidates,
        minibatch=settings.batch_of(len(split.validation)),
        forecast=forecast_of(run, ground),
        limits=settings.limits,
        max_seconds=settings.max_seconds,
        detectable=detectable_lift(split, settings.trials),
        one_at_a_time=tuple(sorted(test.name for test in tests if not test.concurrent)),
    )


def forecast_of(run: StudyRun, ground: Ground) -> Forecast:
    """Return what the run takes by what its baseline took."""
    settings, runs = run.settings, ground.baseline.evaluation.runs
    # A table of prices is not loaded for a run whose replies are all at hand.
    asks = settings.max_cost is not None or run.accounting.ledger.live > 0
    price = run.accounting.cost_model.price if asks else lambda _: None
    forecaster = Forecaster(
        calls_by_row(runs),
        (len(runs), len(ground.study.cases)),
        price,
        ground.committed,
        demos=settings.max_demos if settings.has("demos") else 0,
        demo_tokens=settings.max_demo_tokens,
    )
    sizes = stage_sizes(
        settings, ground.split, len(ground.signatures), sampled=ground.search_sample > 0
    )
    baseline = total(entry.amount for entry in run.accounting.spending.entries())
    first = ground.models[ground.signatures[0].prompt_path]
    return forecaster.forecast(sizes, baseline, (*settings.proposer_models, first)[0])
