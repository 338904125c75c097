"""The groups of a test's cases, by the column that its mark names, and which of them fail."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.threshold_tests import below_p_value, holm
from pytest_mipro.plugin.gate.means import mean_of, scored_rows
from pytest_mipro.plugin.gate.verdict import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.plugin.gate.verdict import CaseResult

LEVEL = 0.05
NO_GROUP = "(none)"


def groups_of(results: Sequence[CaseResult], threshold: float | None) -> tuple[Group, ...]:
    """Return the groups of the scored cases, the worst first; none where the cases have no group.

    With a threshold each has the p-value of "its mean is at or above the threshold", adjusted for
    the number of groups by Holm's method; a group fails below 0.05.
    """
    members: defaultdict[str, list[CaseResult]] = defaultdict(list)
    for result in results:
        if result.score is not None:
            members[NO_GROUP if result.group is None else result.group].append(result)
    if set(members) <= {NO_GROUP}:
        return ()
    p_values: dict[str, float] = {}
    if threshold is not None:
        p_values = holm(
            {name: below_p_value(*scored_rows(cases), threshold) for name, cases in members.items()}
        )
    groups = [
        Group(name, mean_of(cases), p_values.get(name), p_values.get(name, 1.0) < LEVEL)
        for name, cases in members.items()
    ]
    return tuple(sorted(groups, key=lambda group: (not group.failed, group.mean.mean, group.name)))
