"""Means over measured cases, each with its interval."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.intervals import mean_interval
from pytest_mipro.plugin.gate.verdict import Mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mipro.plugin.gate.verdict import CaseResult


def scored_rows(results: Iterable[CaseResult]) -> tuple[list[float], list[str]]:
    """Return the scores and the row of each, of the cases that have a score."""
    pairs = [(result.score, result.row) for result in results]
    return [s for s, _ in pairs if s is not None], [row for s, row in pairs if s is not None]


def mean_of(results: Iterable[CaseResult]) -> Mean:
    """Return the mean of the scored cases, its interval clustered by row."""
    scores, rows = scored_rows(results)
    return Mean(
        mean=fmean(scores) if scores else None,
        interval=mean_interval(scores, rows),
        cases=len(scores),
        rows=len(set(rows)),
    )


def share_passing_all(results: Iterable[CaseResult], pass_score: float) -> float | None:
    """Return pass^k: the share of rows of which every sample passes; None without samples."""
    rows: dict[str, bool] = {}
    for result in results:
        if result.score is not None and result.samples:
            every = result.passes(pass_score) == len(result.samples)
            rows[result.row] = rows.get(result.row, True) and every
    return sum(rows.values()) / len(rows) if rows else None
