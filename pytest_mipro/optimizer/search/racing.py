"""Heats: a trial that is behind the incumbent on its first rows ends with them.

Source: Maron & Moore 1994, "Hoeffding Races", made bolder: what is behind is seldom the best of
many, and the rows that it leaves over go to others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.case import Case

# Fewer rows prove nothing, and a second heat of fewer is not worth the stop in between.
_FEWEST = 8
_SHARE = 0.4


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


def behind(scores: Mapping[str, float], rival: Mapping[str, float], cases: Sequence[Case]) -> bool:
    """Return whether the mean score of these cases is below the incumbent's.

    `rival` holds the incumbent's scores of these cases at the time the trial was asked.
    """
    return paired_lift(scores, rival, cases).mean < 0
