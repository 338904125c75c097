"""`--mipro-dry-run`: the plan as far as it is known without an LM call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from pytest_mipro.optimizer.budget.spending import STAGES
from pytest_mipro.optimizer.run.forecast import StageSize, stage_sizes
from pytest_mipro.optimizer.statistics.decide import detectable_lift
from pytest_mipro.optimizer.study.amount import Amount, total
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import RowTag, Split, split_rows
from pytest_mipro.plugin.lock.lock_schema import Lock
from pytest_mipro.plugin.optimise.cost_lines import describe_limits, format_amount

_LABEL_WIDTH = 12
_STAGE_WIDTH = 11


def describe_dry_run(
    study: Study,
    settings: OptimizerSettings,
    lock: Lock | None,
    last: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the plan's lines: rows, case runs, and what calls take as far as that is known.

    `last` is the summary of the study's last finished run on this machine.
    """
    split = _split(study, settings)
    rows = len({case.row for case in study.cases})
    known = len(split.train), len(split.validation), len(split.holdout)
    deciding = split.holdout or split.validation
    modules, names = _modules(lock, last)
    sizes = _sizes(study, settings, split, modules)
    per_row = sum(study.tests[case.test].repeats for case in study.cases) / rows
    runs = sum(round(per_row * size.rows) for size in sizes)
    detectable = f"{detectable_lift(split, settings.trials):.2f} in 70 % of runs"
    batch = settings.batch_of(len(split.validation))
    trials = f"{settings.rounds} rounds, {settings.trials} trials of {batch} rows"
    full = settings.rounds * settings.full_a_round
    facts = [
        ("tests", ", ".join(sorted(study.tests))),
        ("rows", "{}: {} training, {} validation, {} holdout".format(rows, *known)),
        ("", f"{len(deciding)} deciding rows detect a lift of {detectable}"),
        ("search", f"{trials}, at most {full} full evaluations"),
        ("case runs", f"at most {runs:,}, baseline, decision and final pass included"),
        ("modules", names),
        ("LM calls", _calls(lock, last)),
        *_expected(sizes, lock, last),
        ("limits", describe_limits(settings.limits, settings.max_seconds).removeprefix("limits: ")),
        ("dry run", "no LM call was made, nothing is written"),
    ]
    return [f"{label:<{_LABEL_WIDTH}}{text}" for label, text in facts]


def planned_sizes(study: Study, settings: OptimizerSettings, modules: int) -> dict[str, int]:
    """Return how many rows and calls of its own each stage asks anew, by the plan."""
    sizes = _sizes(study, settings, _split(study, settings), modules)
    return {size.stage: _planned(size) for size in sizes}


def _planned(size: StageSize) -> int:
    return size.fresh + size.calls


def _split(study: Study, settings: OptimizerSettings) -> Split:
    tags = (RowTag(case.row, case.split) for case in study.cases)
    return split_rows(tags, study.salt, min_holdout=settings.min_holdout)


def _sizes(
    study: Study, settings: OptimizerSettings, split: Split, modules: int
) -> tuple[StageSize, ...]:
    sampled = any(test.repeats > 1 for test in study.tests.values())
    return stage_sizes(settings, split, modules, sampled=sampled)


def _modules(lock: Lock | None, last: Mapping[str, Any] | None) -> tuple[int, str]:
    """Return how many modules are optimised, and which, as far as that is known."""
    names = [module.name for module in lock.modules if not module.frozen] if lock else None
    if last is not None:
        count = int(last["modules"])
        text = f"{count} in the last run; the baseline's traces tell them"
    else:
        count = 1 if names is None else len(names)
        text = "unknown before the first run: the baseline's traces tell them"
    return count, text if names is None else ", ".join(names)


def _calls(lock: Lock | None, last: Mapping[str, Any] | None) -> str:
    if last is not None:
        calls = sum(amount["calls"] for amount in last["stages"].values())
        return f"the last run made {calls:,} distinct calls"
    if _searched(lock):
        return f"the run that wrote the lock made {lock.logical_calls:,} distinct calls"
    return "unknown before the first run"


def _searched(lock: Lock | None) -> TypeGuard[Lock]:
    """Return whether the lock tells calls: one that no search wrote knows of none."""
    return lock is not None and lock.logical_calls > 0


def _expected(
    sizes: tuple[StageSize, ...], lock: Lock | None, last: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    """Return what each stage takes by the bill of the last run."""
    if last is None:
        where = "run on this machine" if _searched(lock) else "run"
        return [("tokens", f"unknown before the first {where}, and so is the cost")]
    amounts = {size.stage: _as_last_time(size, last) for size in sizes}
    lines = [
        ("", f"{stage:<{_STAGE_WIDTH}}{format_amount(amount)}")
        for stage, amount in amounts.items()
        if amount.calls
    ]
    whole = f"about {format_amount(total(amounts.values()))} by the last run; cached replies are "
    return [("expected", f"{whole}not billed"), *lines]


def _as_last_time(size: StageSize, last: Mapping[str, Any]) -> Amount:
    """Return what a stage took the last time, for the size that it has now.

    A stage that the last run did not come to takes what its baseline took on as many rows.
    """
    stages: Mapping[str, Any] = last["stages"]
    if size.stage in stages:
        before = last["planned"].get(size.stage)
        factor = _planned(size) / before if before else 1.0
        return Amount(**stages[size.stage]).times(factor, round)
    reached = max(STAGES.index(stage) for stage in stages if stage in STAGES)
    if STAGES.index(size.stage) < reached:  # all that it asked was asked before
        return Amount()
    share = size.fresh / max(1, last["rows"])
    return Amount(size.calls, 0, 0) + Amount(**stages["baseline"]).times(share, round)
