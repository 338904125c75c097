"""Compute the statistics of a test's cases: means, groups, and the comparison with the lock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from pytest_mipro.optimizer.statistics.distributions import ALPHA
from pytest_mipro.optimizer.statistics.intervals import (
    below_p_value,
    holm,
    mean_interval,
    paired_lift,
)
from pytest_mipro.plugin.gate.verdict.verdict_types import (
    CaseChange,
    Comparison,
    Group,
    Mean,
    MetricMean,
)
from pytest_mipro.plugin.lock.lock_file import Lock
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.runtime.score import ROUNDING

NO_GROUP = "(none)"


class _Paired(NamedTuple):
    """A locked case with the unit that its row is in now."""

    id: str
    row: str
    unit: str
    test: str


def scored_rows(results: Iterable[CaseResult]) -> tuple[list[float], list[str]]:
    """Return the scores and the unit of each, of the cases that have a score."""
    pairs = [(result.score, result.unit or result.row) for result in results]
    return [s for s, _ in pairs if s is not None], [row for s, row in pairs if s is not None]


def mean_of(results: Iterable[CaseResult]) -> Mean:
    """Return the mean of the scored cases, its interval clustered by the rows' units."""
    scores, rows = scored_rows(results)
    mean = fmean(scores) if scores else None
    return Mean(mean, mean_interval(scores, rows), cases=len(scores), rows=len(set(rows)))


def metrics_of(results: Iterable[CaseResult]) -> tuple[MetricMean, ...]:
    """Return the mean of each further metric over the cases that have it, by name."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for result in results:
        for name, value in result.outcome.metrics.items():
            values[name].append(value)
    return tuple(
        MetricMean(name, fmean(values[name]), len(values[name])) for name in sorted(values)
    )


def share_passing_all(results: Iterable[CaseResult], pass_score: float) -> float | None:
    """Return pass^k: the share of rows of which every sample passes; None without samples."""
    rows: dict[str, bool] = {}
    for result in results:
        if result.score is not None and result.samples:
            every = result.passes(pass_score) == len(result.samples)
            rows[result.row] = rows.get(result.row, True) and every
    return sum(rows.values()) / len(rows) if rows else None


def groups_of(results: Sequence[CaseResult], threshold: float | None) -> tuple[Group, ...]:
    """Return the groups of the scored cases, the worst first; none where the cases have no group.

    With a threshold each has the p-value of "its mean is at or above the threshold", adjusted for
    the number of groups by Holm's method; a group fails below `ALPHA`.
    """
    members: defaultdict[str, list[CaseResult]] = defaultdict(list)
    for result in results:
        if result.score is not None:
            members[_group(result)].append(result)
    if set(members) <= {NO_GROUP}:
        return ()
    p_values: dict[str, float] = {}
    if threshold is not None:
        p_values = holm(
            {name: below_p_value(*scored_rows(cases), threshold) for name, cases in members.items()}
        )
    groups = [
        Group(name, mean_of(cases), p_values.get(name), p_values.get(name, 1.0) < ALPHA)
        for name, cases in members.items()
    ]
    return tuple(sorted(groups, key=lambda group: (not group.failed, group.mean.mean, group.name)))


def unscored_groups(results: Iterable[CaseResult], groups: Iterable[Group]) -> list[str]:
    """Return the names of the cases' groups that are none of the scored ones."""
    return sorted({_group(result) for result in results} - {group.name for group in groups})


def _group(result: CaseResult) -> str:
    return NO_GROUP if result.group is None else result.group


def locked_scores(results: Iterable[CaseResult], lock: Lock | None) -> dict[str, float]:
    """Return the lock's scores of these cases, without those whose rows have other columns now."""
    known = {result.id: result.digest for result in results}
    return {
        case.id: case.score
        for case in (lock.cases if lock else ())
        if case.score is not None and known.get(case.id) in ("", case.digest)
    }


def compare(results: Sequence[CaseResult], lock: Lock | None) -> Comparison | None:
    """Return the comparison of the scored cases with the lock; None where they have none in common.

    A case whose row has other columns now is another case: it is left out, and counted.
    """
    if lock is None:
        return None
    scored = {result.id: result for result in results if result.score is not None}
    known = (case for case in lock.cases if case.id in scored and case.score is not None)
    common = [case for case in known if scored[case.id].digest in ("", case.digest)]
    if not common:
        return None
    before = {case.id: lock.scores[case.id] for case in common}
    after = {name: scored[name].score or 0.0 for name in before}
    mine = [_Paired(case.id, case.row, scored[case.id].unit, case.test) for case in common]
    changes = [CaseChange(scored[name], old, after[name] - old) for name, old in before.items()]
    changes.sort(key=lambda change: (-abs(change.gain), change.result.id))
    return Comparison(
        lift=paired_lift(after, before, mine),
        improved=tuple(change for change in changes if change.gain > ROUNDING),
        regressed=tuple(change for change in changes if change.gain < -ROUNDING),
        left_out=len(scored) - len(common),
        before=before,
    )
