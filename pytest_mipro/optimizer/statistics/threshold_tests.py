"""Test means against a threshold: p-values, their Holm adjustment, detectable distances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pytest_mipro.optimizer.statistics.distributions import binomial_tail, normal_quantile, t_tail
from pytest_mipro.optimizer.statistics.intervals import LEVEL, mean_interval, row_moments


def below_p_value(scores: Sequence[float], clusters: Sequence[str], threshold: float) -> float:
    """Return the one-sided p-value (0…1) of "the true mean is at or above `threshold`".

    `clusters` names each score's row. Scores of only 0 and 1, one a row: the exact binomial tail.
    Otherwise Student's t of the row means with one pseudo-row that is `threshold` on average, at 0
    or at 1: the scatter is then never 0, and small samples of skewed scores stay below their level
    (compare Agresti & Coull 1998; the error rates are measured in benchmarks/gate_error_rates.py).
    No scores: 1.
    """
    if not scores:
        return 1.0
    if len(set(clusters)) == len(scores) and all(score in (0.0, 1.0) for score in scores):
        return binomial_tail(round(math.fsum(scores)), len(scores), threshold)
    mean, variance, size = row_moments(scores, clusters)
    total = size + 1
    center = (size * mean + threshold) / total
    squares = size * (variance + mean**2) + threshold - total * center**2
    error = math.sqrt(max(squares, 0.0) / (total - 1) / total)
    if error == 0:
        return 0.0 if center < threshold else 1.0
    return t_tail((threshold - center) / error, total - 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return the p-values adjusted for their number, by name.

    Rejecting those below 0.05 rejects any true hypothesis in at most 5 % of runs. Source: Holm
    (1979), "A simple sequentially rejective multiple test procedure".
    """
    adjusted: dict[str, float] = {}
    worst = 0.0
    for index, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        worst = max(worst, min(1.0, (len(p_values) - index) * p_values[name]))
        adjusted[name] = worst
    return adjusted


def detectable_distance(
    scores: Sequence[float], clusters: Sequence[str], level: float = LEVEL, power: float = 0.7
) -> float:
    """Return the distance (0…1) of the true mean from a threshold that these cases can detect.

    At this distance the one-sided bound at `level` excludes the threshold in `power` of the runs,
    given the scatter of these scores. 1.0 stands for "not even the largest distance".
    """
    if not scores:
        return 1.0
    interval = mean_interval(scores, clusters, 2 * level - 1)
    factor = 1 + normal_quantile(power) / normal_quantile(level)
    return min(1.0, factor * (interval.high - interval.low) / 2)
