"""A test's cases against those in its lock: the paired difference, and which cases changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.plugin.gate.verdict import CaseChange, Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.plugin.gate.verdict import CaseResult
    from pytest_mipro.plugin.lock.lock_schema import Lock

# The mean of repeats may miss its exact value by rounding.
_ROUNDING = 1e-9


def compare(results: Sequence[CaseResult], lock: Lock | None) -> Comparison | None:
    """Return the comparison of the scored cases with the lock; None where they have none in common.

    A case whose row has other columns now is another case: it is left out, and counted.
    """
    if lock is None:
        return None
    scored = {result.id: result for result in results if result.score is not None}
    common = [
        case
        for case in lock.cases
        if case.id in scored
        and case.score is not None
        and scored[case.id].digest in ("", case.digest)
    ]
    if not common:
        return None
    before = {case.id: case.score for case in common if case.score is not None}
    after = {name: scored[name].outcome.score or 0.0 for name in before}
    changes = [
        CaseChange(scored[name], before[name], after[name] - before[name]) for name in before
    ]
    changes.sort(key=lambda change: (-abs(change.gain), change.result.id))
    return Comparison(
        lift=paired_lift(after, before, common),
        sure_drop=paired_lift(before, after, common).lower_one_sided,
        improved=tuple(change for change in changes if change.gain > _ROUNDING),
        regressed=tuple(change for change in changes if change.gain < -_ROUNDING),
        left_out=len(scored) - len(common),
    )
