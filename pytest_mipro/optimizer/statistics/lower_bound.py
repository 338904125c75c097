"""The one-sided lower bound of a mean difference that rare total losses can't fool.

Source: Gaffke (2005), "Three test statistics for a nonparametric one-sided hypothesis on the mean
of a nonnegative variable", Mathematical Methods of Statistics 14, 451-467; Learned-Miller & Thomas
(2019), arXiv 1905.06208. Each row gets a random weight, exponentially distributed, and so does one
more row that is as bad as an unseen row may be; the bound is the quantile of their weighted mean.
For differences of -1, 0 and 1 alone it is above 0 where the sign test says so, or stricter. No
distribution is known for which it errs too often, not even many small gains with rare total losses,
for which the textbook's t interval errs most. Two details are our own, measured in
benchmarks/decision_error_rates.py: how bad the unseen row is, and its half weight where pass or
fail is compared with 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_mipro.optimizer.statistics.distributions import normal_quantile

# Equal values must be counted together although they were summed in another order.
_DIGITS = 12
_STEPS = 60
_CLOSE = 1e-12
_FLAT = 1e-6


@dataclass(frozen=True)
class Unit:
    """One row: its weight (weights sum to 1) and its value, in -1…1."""

    weight: float
    value: float


@dataclass(frozen=True)
class _Term:
    """Rows of one weight and value; `count` is the shape of their gamma distribution."""

    weight: float
    value: float
    count: float


def lower_bound(units: Sequence[Unit], level: float) -> float:
    """Return the one-sided lower bound, in -1…1, of the mean of differences; -1 without rows.

    It is at most the mean, and errs in at most 1 - `level` (below 0.5) of the runs. An exception is
    a bound above 0 for differences of -1, 0 and 1 alone: it is the mid-p bound, which at 95 % errs
    in up to 6 % of the runs where the truth is 0, and in up to 12 % where it is a large gain on 20
    rows or fewer. Source of mid-p: Fagerland, Lydersen & Laake (2013), "The McNemar test for binary
    matched-pairs data: mid-p and asymptotic are better than exact conditional".
    """
    if not units:
        return -1.0
    bound = _quantile(_terms(units, above=True), level)
    return bound if bound > 0 else _quantile(_terms(units, above=False), level)


def sureness(units: Sequence[Unit], value: float) -> float:
    """Return how sure it is that the mean is above a value, as a normal quantile.

    That of the level at which `lower_bound` is the value: at 1.645 it is sure to 95 %. It is 0 from
    the mean on, and infinite up to the least that is seen or may have been unseen.
    """
    if not units:
        return 0.0
    terms = _terms(units, above=value >= 0)
    if value < min(term.value for term in terms) + _CLOSE:
        return math.inf
    return -_signed_root(terms, value) if value < _mean(terms) - _CLOSE else 0.0


def _terms(units: Sequence[Unit], *, above: bool) -> list[_Term]:
    """Return the rows and the unseen one, for a bound of 0 and `above`, or below."""
    counts = Counter((round(unit.weight, _DIGITS), round(unit.value, _DIGITS)) for unit in units)
    seen = [_Term(weight, value, count) for (weight, value), count in sorted(counts.items())]
    unseen = _unseen(units)
    whole = all(abs(unit.value - round(unit.value)) < _CLOSE for unit in units)
    # Half a row is mid-p against 0 alone: below 0, it would hide losses that were not seen.
    return [*seen, replace(unseen, count=0.5) if above and whole else unseen]


def _mean(terms: Sequence[_Term]) -> float:
    total = math.fsum(term.weight * term.count for term in terms)
    return math.fsum(term.weight * term.count * term.value for term in terms) / total


def _quantile(terms: Sequence[_Term], level: float) -> float:
    """Return the quantile 1 - `level` of the weighted mean."""
    high = _mean(terms)
    low = min(term.value for term in terms)
    if high - low < _CLOSE:
        return low
    return _solved(terms, low, high, -normal_quantile(level))


def _unseen(units: Sequence[Unit]) -> _Term:
    """Return the unseen row; it weighs as much as the heaviest row that was seen.

    Its loss is Σl³ / Σl² over the seen losses and one total loss: total where no loss was seen, and
    about as large as the seen ones where they are many. So it costs little where the scatter shows
    the losses, and a small scatter hides no large one.
    """
    most = max(unit.weight for unit in units)
    losses = [(unit.weight / most, -unit.value) for unit in units if unit.value < 0]
    squares = math.fsum(weight * loss**2 for weight, loss in losses) + 1
    cubes = math.fsum(weight * loss**3 for weight, loss in losses) + 1
    return _Term(most, -cubes / squares, 1.0)


def _solved(terms: Sequence[_Term], low: float, high: float, wanted: float) -> float:
    """Return the value at which the signed root is `wanted`: regula falsi, the Illinois variant."""
    left, right = low, high
    at_left, at_right = -math.inf, -wanted  # at the mean the signed root is 0
    before = 0.0
    guess = (low + high) / 2
    for _ in range(_STEPS):
        found = _signed_root(terms, guess) - wanted
        if found < 0:
            left, at_left = guess, found
            at_right = at_right / 2 if before < 0 else at_right
        else:
            right, at_right = guess, found
            at_left = at_left / 2 if before > 0 else at_left
        if right - left < _CLOSE or abs(found) < _CLOSE:
            break
        before = found
        middle = (left + right) / 2
        straight = (left * at_right - right * at_left) / (at_right - at_left)
        guess = straight if left < straight < right else middle
    return max(-1.0, guess)


def _signed_root(terms: Sequence[_Term], value: float) -> float:
    """Return the normal quantile of the probability that the weighted mean is at most `value`.

    `value` lies between the least value and the mean. Saddlepoint approximation of the sum of
    gamma variables, each times weight · (its value - `value`); within a few percent of the
    probability down to 0.001 and five rows. Source: Barndorff-Nielsen (1986), "Inference on full or
    partial parameters based on the standardized signed log likelihood ratio", Biometrika 73.
    """
    factors = [(term.weight * (term.value - value), term.count) for term in terms]
    point = _saddlepoint(factors)
    root = math.sqrt(2 * max(0.0, math.fsum(k * math.log1p(a * point) for a, k in factors)))
    if root < _FLAT:
        return 0.0
    curvature = math.fsum(k * (a / (1 + a * point)) ** 2 for a, k in factors)
    return -root - math.log(point * math.sqrt(curvature) / root) / root


def _saddlepoint(factors: Sequence[tuple[float, float]]) -> float:
    """Return u > 0 with Σ k·a / (1 + a·u) = 0: Newton's method, kept within its bracket."""
    low, high = 0.0, -1 / min(a for a, _ in factors)
    point = high / 2
    for _ in range(_STEPS):
        slope = math.fsum(k * a / (1 + a * point) for a, k in factors)
        if slope > 0:
            low = point
        else:
            high = point
        step = slope / math.fsum(k * (a / (1 + a * point)) ** 2 for a, k in factors)
        following = point + step
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - point) <= _CLOSE * high:
            return following
        point = following
    return point
