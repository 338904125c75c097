"""What a study will take, as lines: the plan, and that of `--mipro-dry-run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any, TypeGuard

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.spending import STAGES
from pytest_mipro.optimizer.measuring.disturbance import runs_alone
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.run.forecast import Forecast, StageForecast
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.run.stage_sizes import StageSize, stage_sizes
from pytest_mipro.optimizer.statistics.decide import detectable_lift
from pytest_mipro.optimizer.study.amount import (
    Amount,
    describe_amount,
    total,
)
from pytest_mipro.optimizer.study.case import Study, row_tags
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import Split, split_rows
from pytest_mipro.plugin.gate.usage_file import GateUsage
from pytest_mipro.plugin.lock.lock_file import Lock
from pytest_mipro.plugin.optimise.inputs.gate_forecast import (
    forecast_of,
    frozen_in,
    searched_modules,
    settings_by_gate,
)
from pytest_mipro.plugin.optimise.lines.forecast_lines import (
    STAGE_WIDTH,
    describe_ending,
    describe_forecast,
    describe_limits,
)
from pytest_mipro.plugin.optimise.lines.row_lines import (
    count_rows,
    describe_disturbed,
    describe_power,
    describe_related,
)
from pytest_mipro.runtime.text.number_words import counted


def describe_plan(plan: Plan, alone: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the plan as lines: modules, rows, trials and calls.

    `alone` names the fixtures for whose sake a test's cases run one at a time.
    """
    split = plan.split
    frozen = f" (frozen: {', '.join(plan.frozen)})" if plan.frozen else ""
    modules = f"{counted(len(plan.modules), 'module')}: {', '.join(plan.modules)}{frozen}"
    rows = f"rows: {_parts(split)}; {describe_power(split, plan.detectable, plan.look)}"
    rounds = counted(plan.rounds, "round")
    trials = f"{_trials(plan.trials, plan.minibatch, len(plan.modules))} in {rounds}"
    if plan.minibatch < len(split.validation):
        trials += f", then the best on all {counted(len(split.validation), 'validation row')}"
    lines = [modules, rows, trials, *describe_forecast(plan.forecast)]
    lines.append(describe_limits(plan.limits, plan.max_seconds))
    lines += describe_ending(plan.forecast, plan.limits, plan.max_seconds, plan.trials)
    if split.decides and not split.confirmed:
        lines.append("too few rows for a holdout: the result will be not independently confirmed")
    lines += describe_related(plan)
    lines += describe_disturbed(plan.disturbed)
    for test in plan.one_at_a_time:
        fixtures = ", ".join(map(repr, alone.get(test, ())))
        why = f", as its cases share {fixtures} (rerun_safe declares them safe)" if fixtures else ""
        lines.append(f"{test}: one case at a time{why}")
    lines += [f"{test}: no case called an LM module" for test in plan.silent]
    lines += plan.label_faults
    return lines


def _parts(split: Split) -> str:
    held_out = count_rows(split, split.holdout, "holdout")
    if split.shared:
        return f"{count_rows(split, split.validation, 'training and validation')}, {held_out}"
    training = count_rows(split, split.train, "training")
    return f"{training}, {count_rows(split, split.validation, 'validation')}, {held_out}"


def describe_dry_run(
    study: Study,
    settings: OptimizerSettings,
    lock: Lock | None,
    last: Mapping[str, Any] | None = None,
    look: int = 1,
    gate: tuple[GateUsage, CostModel] | None = None,
) -> list[tuple[str, str]]:
    """Return the plan's lines: rows, case runs, and what calls take as far as that is known.

    Each is a text with its label, "" where it goes on with what is above.

    `last` is the summary of the study's last finished run on this machine; without one, `gate` is
    what its last gate run took, and the prices of now. The holdout would be looked at for the
    `look`-th time.
    """
    split = _split(study, settings)
    modules, names = _modules(lock, last)
    frozen = frozen_in(lock)
    if gate is not None:
        found = searched_modules(gate[0], frozen)
        modules, names = len(found), ", ".join(sorted(found))
        settings = settings_by_gate(gate[0], settings, frozen)
    else:
        settings = settings.for_modules(modules)
    sizes = _sizes(study, settings, split, modules)
    runs = _case_runs(study, sizes)
    lift = detectable_lift(split, settings.trials * max(1, modules), look)
    unknown = "" if lock or last or gate else "; more if the pipeline has several modules"
    return [
        ("tests", ", ".join(sorted(study.tests))),
        ("rows", f"{_rows(study)}: {_parts(split)}"),
        ("", describe_power(split, lift, look)),
        ("search", _search(settings, split, modules)),
        ("case runs", f"at most {runs:,}, baseline, decision and final pass included{unknown}"),
        ("modules", names),
        *(
            _by_gate(gate, sizes, settings, frozen, split)
            if gate
            else _by_run(sizes, settings, lock, last)
        ),
        (
            "limits",
            describe_limits(settings.limits, settings.max_seconds).removeprefix("limits: "),
        ),
        ("dry run", "no LM call was made, nothing is written"),
    ]


def _rows(study: Study) -> int:
    return len({case.row for case in study.cases})


def _case_runs(study: Study, sizes: Iterable[StageSize]) -> int:
    """Return how often cases run at most, by the stages' sizes in rows."""
    samples = sum(study.tests[case.test].repeats for case in study.cases)
    once = sum((size.once + size.more * bool(size.once)) * len(study.cases) for size in sizes)
    full = sum(size.repeated + size.more * (not size.once) for size in sizes)
    of_rows = once + full * samples
    return runs_alone(study) + ceil(of_rows / _rows(study))


def _search(settings: OptimizerSettings, split: Split, modules: int) -> str:
    trials = _trials(settings.trials, settings.batch_of(len(split.validation)), modules)
    rounds = counted(settings.rounds, "round")
    rows = len(split.validation)
    if settings.batch_of(rows) == rows:
        return f"{rounds}, {trials}"
    return f"{rounds}, {trials}, at most {settings.leaders} full evaluations"


def _trials(count: int, rows: int, modules: int) -> str:
    more = " (or more of one module each)" if modules > 1 else ""
    return f"{counted(count, 'trial')} of {counted(rows, 'row')}{more}"


def planned_sizes(study: Study, settings: OptimizerSettings, result: StudyResult) -> dict[str, int]:
    """Return how many rows and calls of its own each stage of the run asked anew, by the plan.

    The trials were those of the baseline's modules; others were found by the candidates.
    """
    calls = (call for item in result.baseline.runs for call in item.calls)
    first = {call.signature.prompt_path for call in calls if call.signature.optimize}
    settings = settings.for_modules(len(first))
    sizes = _sizes(study, settings, _split(study, settings), len(result.signatures))
    return {size.stage: size.planned for size in sizes}


def _split(study: Study, settings: OptimizerSettings) -> Split:
    return split_rows(row_tags(study.cases), settings.min_holdout)


def _sizes(
    study: Study, settings: OptimizerSettings, split: Split, modules: int
) -> tuple[StageSize, ...]:
    sampled = any(test.repeats > 1 for test in study.tests.values())
    return stage_sizes(settings, split, modules, sampled=sampled)


def _modules(lock: Lock | None, last: Mapping[str, Any] | None) -> tuple[int, str]:
    """Return how many modules are optimised, and which, as far as that is known."""
    named = (module.name for module in lock.modules if not module.frozen) if lock else ()
    names = list(dict.fromkeys(named)) if lock else None
    if last is not None:
        count = int(last["modules"])
        text = f"{count:,} in the last run; the baseline's traces tell them"
    else:
        count = 1 if names is None else len(names)
        text = "unknown before the first run: the baseline's traces tell them"
    return count, text if names is None else ", ".join(names)


def _calls(lock: Lock | None, last: Mapping[str, Any] | None) -> str:
    if last is not None:
        calls = sum(amount["calls"] for amount in last["stages"].values())
        short = ", which a limit cut short," if last.get("cut_short") else ""
        part = " for its baseline" if short else ""
        return f"the last run{short} made {counted(calls, 'distinct call')}{part}"
    if _searched(lock):
        return f"the run that wrote the lock made {counted(lock.logical_calls, 'distinct call')}"
    return "unknown before the first run"


def _searched(lock: Lock | None) -> TypeGuard[Lock]:
    """Return whether the lock tells calls: one that no search wrote knows of none."""
    return lock is not None and lock.logical_calls > 0


def _by_gate(
    gate: tuple[GateUsage, CostModel],
    sizes: tuple[StageSize, ...],
    settings: OptimizerSettings,
    frozen: frozenset[str],
    split: Split,
) -> list[tuple[str, str]]:
    """Return what each stage takes by the calls of the last gate run."""
    usage, cost_model = gate
    made = forecast_of(usage, sizes, settings, cost_model, frozen, split)
    first, *lines = [
        *describe_forecast(made)[1:],
        *([f"its replies are timed by those of {', '.join(usage.timed)}"] if usage.timed else []),
        *describe_ending(made, settings.limits, settings.max_seconds, settings.trials),
    ]
    return [
        ("LM calls", f"the last gate run made {counted(usage.calls, 'distinct call')}"),
        ("forecast", f"{first} at today's prices, by these calls"),
        *(("", line) for line in lines),
    ]


def _by_run(
    sizes: tuple[StageSize, ...],
    settings: OptimizerSettings,
    lock: Lock | None,
    last: Mapping[str, Any] | None,
) -> list[tuple[str, str]]:
    """Return what each stage takes by the bill of the last run."""
    calls = ("LM calls", _calls(lock, last))
    if last is None:
        where = "run on this machine" if _searched(lock) else "run"
        return [calls, ("tokens", f"unknown before the first {where}, and so is the cost")]
    amounts = {size.stage: _as_last_time(size, last) for size in sizes}
    lines = [
        ("", f"{stage:<{STAGE_WIDTH}}{describe_amount(amount)}")
        for stage, amount in amounts.items()
        if amount.calls
    ]
    models = f" with {', '.join(last['models'])}" if last.get("models") else ""
    whole = f"about {describe_amount(total(amounts.values()))} by the last run{models}; cached "
    made = Forecast(tuple(StageForecast(stage, 0, it) for stage, it in amounts.items()), {})
    ends = describe_ending(made, settings.limits, settings.max_seconds, settings.trials)
    lines += [("", line) for line in ends]
    return [calls, ("expected", f"{whole}replies are not billed"), *lines]


def _as_last_time(size: StageSize, last: Mapping[str, Any]) -> Amount:
    """Return what a stage took the last time, for the size that it has now.

    A stage that the last run did not come to takes what its baseline took on as many rows.
    """
    stages: Mapping[str, Any] = last["stages"]
    if size.stage in stages:
        before = last["planned"].get(size.stage)
        factor = size.planned / before if before else 1.0
        return Amount(**stages[size.stage]).times(factor, round)
    reached = max(STAGES.index(stage) for stage in stages if stage in STAGES)
    if STAGES.index(size.stage) < reached:  # all that it asked was asked before
        return Amount()
    share = (size.planned - size.calls) / max(1, last["rows"])
    return Amount(size.calls, 0, 0) + Amount(**stages["baseline"]).times(share, round)
