"""`--mipro-dry-run`: the plan as far as it is known without an LM call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mipro.optimizer.amount import Amount, total
from pytest_mipro.optimizer.forecast import stage_sizes
from pytest_mipro.optimizer.split import RowTag, split_rows
from pytest_mipro.optimizer.statistics import detectable_difference
from pytest_mipro.plugin.bill_lines import amount_shown, limits_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mipro.optimizer.case import Study
    from pytest_mipro.optimizer.forecast import StageSize
    from pytest_mipro.optimizer.settings import OptimizerSettings
    from pytest_mipro.optimizer.split import Split
    from pytest_mipro.plugin.lock import Lock

_LABEL_WIDTH = 12
_STAGE_WIDTH = 11


def dry_run_lines(
    study: Study,
    settings: OptimizerSettings,
    lock: Lock | None,
    last: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the plan's lines: rows, case runs, and what calls take as far as that is known.

    `last` is the summary of the study's last finished run on this machine.
    """
    tags = (RowTag(case.row, case.split) for case in study.cases)
    split = split_rows(tags, study.salt, min_holdout=settings.min_holdout)
    rows = len({case.row for case in study.cases})
    deciding = split.holdout or split.validation
    batch = settings.batch_of(len(split.validation))
    modules = len([module for module in lock.modules if not module.frozen]) if lock else 1
    sizes = stage_sizes(settings, split, modules, sampled=_sampled(study))
    per_row = sum(study.tests[case.test].repeats for case in study.cases) / rows
    runs = sum(round(per_row * size.rows) for size in sizes)
    full = settings.rounds * settings.full_a_round
    detectable = f"{detectable_difference(len(deciding)):.2f} in 70 % of runs"
    trials = f"{settings.rounds} rounds, {settings.trials} trials of {batch} rows"
    facts = [
        ("tests", ", ".join(sorted(study.tests))),
        ("rows", _rows(rows, split)),
        ("", f"{len(deciding)} deciding rows detect a lift of {detectable}"),
        ("search", f"{trials}, at most {full} full evaluations"),
        ("case runs", f"at most {runs:,}, baseline, decision and final pass included"),
        ("modules", _modules(lock)),
        ("LM calls", _calls(lock)),
        *_expected(sizes, last),
        ("limits", limits_line(settings.limits, settings.max_seconds).removeprefix("limits: ")),
        ("dry run", "no LM call was made, nothing is written"),
    ]
    return [f"{label:<{_LABEL_WIDTH}}{text}" for label, text in facts]


def _sampled(study: Study) -> bool:
    return any(test.repeats > 1 for test in study.tests.values())


def _rows(rows: int, split: Split) -> str:
    return (
        f"{rows}: {len(split.train)} training, {len(split.validation)} validation, "
        f"{len(split.holdout)} holdout"
    )


def _modules(lock: Lock | None) -> str:
    if lock is None:
        return "unknown before the first run: the baseline's traces tell them"
    return ", ".join(module.name for module in lock.modules if not module.frozen)


def _calls(lock: Lock | None) -> str:
    if lock is None or not lock.logical_calls:  # a lock without a search knows of no calls
        return "unknown before the first run"
    return f"the last run made {lock.logical_calls:,} distinct calls"


def _expected(
    sizes: tuple[StageSize, ...], last: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    """Return what each stage takes when a row takes what it took in the last run's baseline."""
    if last is None:
        return [("tokens", "unknown before the first run, and so is the cost")]
    stages: dict[str, Any] = last["stages"]
    share = 1 / max(1, last["rows"])
    baseline = Amount(**stages["baseline"])
    lines = []
    amounts = []
    for size in sizes:
        amount = _times(baseline, size.fresh * share)
        if size.calls:
            amount = Amount(**stages[size.stage]) if size.stage in stages else Amount(size.calls)
        if amount.calls:
            amounts.append(amount)
            lines.append(("", f"{size.stage:<{_STAGE_WIDTH}}{amount_shown(amount)}"))
    whole = f"about {amount_shown(total(amounts))} by the last run; cached replies are not billed"
    return [("expected", whole), *lines]


def _times(amount: Amount, factor: float) -> Amount:
    return Amount(
        round(amount.calls * factor),
        None if amount.tokens is None else round(amount.tokens * factor),
        None if amount.nanodollars is None else round(amount.nanodollars * factor),
    )
