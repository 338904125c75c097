"""Racing: a trial that can hardly catch the incumbent ends after its first rows.

Source: Maron & Moore 1994, "Hoeffding Races"; here with paired differences on common rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.case import Case

# Fewer rows prove nothing, and a second heat of fewer is not worth the stop in between.
_FEWEST = 8
_SHARE = 0.4
# Two-sided: a trial ends where the one-sided 90 % upper bound of its lift is below 0.
_LEVEL = 0.8


def first_heat(
    batch: Sequence[str], rows: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the rows that a trial on `rows` begins with, and the rest.

    The first heat is a prefix of the round's minibatch `batch`, the same for all trials; with too
    few rows for two heats, it is all rows.
    """
    count = max(_FEWEST, round(_SHARE * len(batch)))
    if len(batch) < count or len(rows) < 2 * count:
        return tuple(rows), ()
    heat = tuple(batch[:count])
    return heat, tuple(row for row in rows if row not in set(heat))


def hopeless(
    scores: Mapping[str, float], rival: Mapping[str, float], cases: Sequence[Case]
) -> bool:
    """Return whether the paired lift over the incumbent is below 0 even at its upper bound.

    `rival` holds the incumbent's scores of these cases at the time the trial was asked.
    """
    return paired_lift(scores, rival, cases, _LEVEL).high < 0
