"""The objective and its interval, the paired lift, and tests of means against a threshold.

Cases of one row (in several tests) are not independent, so every interval is clustered by row. All
scores are in 0…1.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from pytest_mipro.optimizer.statistics.distributions import (
    LEVEL,
    binomial_tail,
    normal_quantile,
    t_tail,
)
from pytest_mipro.optimizer.statistics.lower_bound import Unit, lower_bound
from pytest_mipro.optimizer.statistics.power import detectable_difference, rows_to_detect


class _ScoredCase(Protocol):
    """A case: its unique id, its row, the unit of that row ("": the row itself), and its test."""

    @property
    def id(self) -> str: ...
    @property
    def row(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def test(self) -> str: ...


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval within 0…1."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedLift:
    """How much better `after` is than `before` on the same rows; all bounds in -1…1.

    `differences` holds each row's difference and weight, `sd` their standard deviation. `size` is
    the effective number of rows: fewer than `rows` where weights differ.
    """

    mean: float
    rows: int
    level: float
    sd: float
    size: float
    differences: tuple[Unit, ...] = field(repr=False)

    @cached_property
    def low(self) -> float:
        """The lower bound of the two-sided interval."""
        return self.lower((1 + self.level) / 2)

    @cached_property
    def high(self) -> float:
        """The upper bound of the two-sided interval."""
        return self.upper((1 + self.level) / 2)

    @cached_property
    def lower_one_sided(self) -> float:
        """The one-sided lower bound at `level`."""
        return self.lower(self.level)

    def lower(self, level: float) -> float:
        """Return the one-sided lower bound at another level, such as an adjusted one."""
        return lower_bound(self.differences, level)

    def upper(self, level: float) -> float:
        """Return the one-sided upper bound at a level: the mirrored lower bound."""
        return -lower_bound([Unit(unit.weight, -unit.value) for unit in self.differences], level)

    def detectable(self, level: float | None = None) -> float:
        """Return the lift that these rows would detect; see `detectable_difference`."""
        return detectable_difference(self.size, self.sd, level=level or self.level)

    def rows_to_detect(self, level: float | None = None) -> int | None:
        """Return how many such rows would detect a lift of this size; see `rows_to_detect`."""
        return rows_to_detect(self.mean, self.sd, level=level or self.level)


def objective(scores: Mapping[str, float], tests: Mapping[str, str]) -> float:
    """Return the unweighted mean of the tests' means over the cases in `scores`, in 0…1.

    `scores` maps a case's id to its score, `tests` to its test. Raises ValueError without scores:
    no measurement is not a score of 0.
    """
    means = test_means(scores, tests)
    if not means:
        raise ValueError("objective() needs the score of at least one case")
    return math.fsum(means.values()) / len(means)


def test_means(scores: Mapping[str, float], tests: Mapping[str, str]) -> dict[str, float]:
    """Return each test's mean score over its cases in `scores`, sorted by test."""
    by_test: defaultdict[str, list[float]] = defaultdict(list)
    for case_id, score in scores.items():
        by_test[tests[case_id]].append(score)
    return {test: math.fsum(by_test[test]) / len(by_test[test]) for test in sorted(by_test)}


def mean_interval(
    scores: Sequence[float], clusters: Sequence[str] | None = None, level: float = LEVEL
) -> Interval:
    """Return the two-sided interval of the mean of `scores`, within 0…1; 0…1 without scores.

    `clusters` names each score's row; None: every score is a row of its own. For scores of only 0
    and 1, one per row: Wilson (1927). Otherwise Agresti & Coull (1998), extended to bounded scores
    (`_bounded_interval`).
    """
    keys = [str(index) for index in range(len(scores))] if clusters is None else list(clusters)
    units = _units((1.0, key, score) for key, score in zip(keys, scores, strict=True))
    if len(units) == len(scores) and all(score in (0.0, 1.0) for score in scores):
        return _wilson(math.fsum(scores), len(scores), level)
    return _bounded_interval(units, level)


def objective_interval(scores: Mapping[str, float], cases: Iterable[_ScoredCase]) -> Interval:
    """Return the two-sided interval of the objective over `cases`, clustered by row."""
    measured = list(cases)
    if len({case.test for case in measured}) <= 1:
        values = [scores[case.id] for case in measured]
        return mean_interval(values, [case.unit or case.row for case in measured])
    return _bounded_interval(_case_units(scores, measured), LEVEL)


def paired_lift(
    after: Mapping[str, float],
    before: Mapping[str, float],
    cases: Iterable[_ScoredCase],
    level: float = LEVEL,
) -> PairedLift:
    """Return the difference of the objectives over `cases`, with intervals clustered by row.

    Both bounds are those of `lower_bound`: swapping `after` and `before` mirrors them, and the
    interval's width is never 0. Raises KeyError for a case without a score in either mapping.
    """
    measured = list(cases)
    differences = {case.id: after[case.id] - before[case.id] for case in measured}
    units = _case_units(differences, measured)
    mean, variance, size = _moments(units)
    return PairedLift(mean, len(units), level, math.sqrt(variance), size, tuple(units))


def _units(weighted: Iterable[tuple[float, str, float]]) -> list[Unit]:
    """Gather (weight, row, value) triples into rows, in the order of the row keys."""
    sums: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for weight, row, value in weighted:
        sums[row].append((weight, weight * value))
    weights = {row: math.fsum(pair[0] for pair in sums[row]) for row in sorted(sums)}
    total = math.fsum(weights.values())
    return [
        Unit(weight / total, math.fsum(pair[1] for pair in sums[row]) / weight)
        for row, weight in weights.items()
    ]


def _case_units(values: Mapping[str, float], cases: Sequence[_ScoredCase]) -> list[Unit]:
    """Gather cases into rows whose weighted mean is the mean of the tests' means."""
    sizes = Counter(case.test for case in cases)
    return _units((1 / sizes[case.test], case.unit or case.row, values[case.id]) for case in cases)


def _moments(units: Sequence[Unit]) -> tuple[float, float, float]:
    """Return mean, variance of a row (divisor n), and number of rows; (0, 0, 0) without rows.

    With unequal weights the number is Kish's effective size 1/Σweight², and the variance is the
    linearised one of the weighted mean times that size.
    """
    if not units:
        return 0.0, 0.0, 0.0
    mean = math.fsum(unit.weight * unit.value for unit in units)
    size = 1 / math.fsum(unit.weight**2 for unit in units)
    variance = math.fsum((unit.weight * (unit.value - mean)) ** 2 for unit in units) * size
    return mean, variance, size


def _wilson(successes: float, n: int, level: float) -> Interval:
    """Return Wilson's score interval of a proportion; 0…1 without observations."""
    if n == 0:
        return Interval(0.0, 1.0)
    z = normal_quantile((1 + level) / 2)
    rate = successes / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # The bound at a rate of 0 or 1 is exact; rounding must not put the mean outside.
    low = 0.0 if rate == 0 else max(0.0, center - half)
    return Interval(low, 1.0 if rate == 1 else min(1.0, center + half))


def _bounded_interval(units: Sequence[Unit], level: float) -> Interval:
    """Return Agresti & Coull's interval extended to values in 0…1.

    z²/2 pseudo-rows at 0 and as many at 1 join the sample, and the variance of the augmented sample
    gives the width. For values 0 and 1 this is their interval exactly; with all values equal it
    still has a width. It always holds the plain mean.
    """
    mean, variance, size = _moments(units)
    if size == 0:
        return Interval(0.0, 1.0)
    z = normal_quantile((1 + level) / 2)
    total = size + z * z
    center = (size * mean + z * z / 2) / total
    square = (size * (variance + mean**2) + z * z / 2) / total - center**2
    half = z * math.sqrt(max(0.0, square) / total)
    return Interval(max(0.0, center - half), min(1.0, center + half))


def judged_mean(
    scores: Sequence[float], clusters: Sequence[str], confidence: float | None
) -> tuple[float, Interval]:
    """Return what a threshold is compared with, and the interval around the mean.

    It is the mean, or with a `confidence` the one-sided lower bound of the interval at that level.
    The scores must not be empty.
    """
    if confidence is None:
        return math.fsum(scores) / len(scores), mean_interval(scores, clusters)
    interval = mean_interval(scores, clusters, 2 * confidence - 1)
    return interval.low, interval


def sure_fall(lift: PairedLift, confidence: float | None) -> float:
    """Return by how much (in -1…1) the score fell at least: a one-sided bound at the confidence.

    None stands for `LEVEL`.
    """
    return -lift.upper(LEVEL if confidence is None else confidence)


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
    triples = ((1.0, row, score) for row, score in zip(clusters, scores, strict=True))
    mean, variance, size = _moments(_units(triples))
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


def detectable_distance(scores: Sequence[float], clusters: Sequence[str]) -> float:
    """Return the distance (0…1) of the true mean from a threshold that these cases can detect.

    At this distance the one-sided bound at 95 % excludes the threshold in 70 % of the runs, given
    the scatter of these scores. 1.0 stands for "not even the largest distance".
    """
    if not scores:
        return 1.0
    interval = mean_interval(scores, clusters, 2 * LEVEL - 1)
    factor = 1 + normal_quantile(0.7) / normal_quantile(LEVEL)
    return min(1.0, factor * (interval.high - interval.low) / 2)
