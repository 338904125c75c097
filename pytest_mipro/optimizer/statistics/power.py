"""The power of the decision: the lift that so many rows detect, and the rows that a lift needs."""

from __future__ import annotations

import math
from bisect import bisect_left

from pytest_mipro.optimizer.statistics.distributions import LEVEL, normal_quantile, t_quantile

# The standard deviation of a row's difference before anything is measured: about a third of the
# rows change between pass and fail, as between prompts that differ by 10 to 20 points.
TYPICAL_SD = 0.56


def detectable_difference(
    n_rows: float, sd: float = TYPICAL_SD, power: float = 0.7, level: float = LEVEL
) -> float:
    """Return the true lift (0…1) whose one-sided lower bound is above 0 in `power` of the runs.

    `sd` is the standard deviation of a row's difference. 1.0 stands for "not even the largest
    difference". Student's t with the pseudo-rows of Agresti & Min (2005), "Simple improved
    confidence intervals for comparing matched proportions"; within a few points of what
    `lower_bound` detects.
    """
    if n_rows <= 0:
        return 1.0
    pseudo = max(2.0, normal_quantile(level) ** 2 / 2)  # theirs at 97.5 %, which is z²/2
    total = n_rows + pseudo
    error = math.sqrt((n_rows * sd**2 + pseudo / 2) / (total - 1) / total)
    factor = t_quantile(level, total - 1) + normal_quantile(power)
    return min(1.0, factor * error * total / n_rows)


def rows_to_detect(difference: float, sd: float = TYPICAL_SD, level: float = LEVEL) -> int | None:
    """Return the fewest rows by which `detectable_difference` is at most `difference`.

    None: more than a million, or no number, as for a difference of 0 or less.
    """
    most = 1_000_000
    if detectable_difference(most, sd, level=level) > difference:
        return None
    return (
        bisect_left(
            range(1, most + 1),
            -difference,
            key=lambda n: -detectable_difference(n, sd, level=level),
        )
        + 1
    )
