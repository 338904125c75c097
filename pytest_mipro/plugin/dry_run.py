"""`--mipro-dry-run`: the plan as far as it is known without an LM call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.split import RowTag, split_rows
from pytest_mipro.optimizer.statistics import detectable_difference

if TYPE_CHECKING:
    from pytest_mipro.optimizer.case import Study
    from pytest_mipro.optimizer.settings import OptimizerSettings
    from pytest_mipro.plugin.lock import Lock


def dry_run_lines(study: Study, settings: OptimizerSettings, lock: Lock | None) -> list[str]:
    """Return the plan's lines: rows, case runs, and LM calls where the lock knows them."""
    tags = (RowTag(case.row, case.split) for case in study.cases)
    split = split_rows(tags, study.salt, min_holdout=settings.min_holdout)
    rows = len({case.row for case in study.cases})
    deciding = split.holdout or split.validation
    per_row = sum(study.tests[case.test].repeats for case in study.cases) / rows
    batch = settings.batch_of(len(split.validation))
    trials = settings.trials * batch
    full = settings.rounds * settings.full_a_round * len(split.validation)
    training = (settings.rounds - 1) * min(settings.training_rows, len(split.train))
    attempts = settings.attempts_at(sum(case.row in split.train for case in study.cases))
    runs = round(per_row * (2 * rows + len(deciding) + trials + full + training)) + attempts
    facts = {
        "tests": ", ".join(sorted(study.tests)),
        "rows": f"{rows}: {len(split.train)} training, {len(split.validation)} validation, "
        f"{len(split.holdout)} holdout",
        "": f"{len(deciding)} deciding rows detect a lift of "
        f"{detectable_difference(len(deciding)):.2f} in 70 % of runs",
        "search": f"{settings.rounds} rounds, {settings.trials} trials of {batch} rows, at most "
        f"{settings.rounds * settings.full_a_round} full evaluations",
        "case runs": f"at most {runs:,}, baseline, decision and final pass included",
        "modules": _modules(lock),
        "LM calls": _calls(lock, settings),
        "dry run": "no LM call was made, nothing is written",
    }
    return [f"{label:<12}{text}" for label, text in facts.items()]


def _modules(lock: Lock | None) -> str:
    if lock is None:
        return "unknown before the first run: the baseline's traces tell them"
    return ", ".join(module.name for module in lock.modules if not module.frozen)


def _calls(lock: Lock | None, settings: OptimizerSettings) -> str:
    limit = "" if settings.max_calls is None else f"; limit {settings.max_calls:,}"
    if lock is None or not lock.logical_calls:  # a lock without a search knows of no calls
        return f"unknown before the first run{limit}"
    return f"the last run made {lock.logical_calls:,} distinct calls{limit}"
