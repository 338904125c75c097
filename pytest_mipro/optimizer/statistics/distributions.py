"""Quantiles and tails of the normal, Student's t and binomial distributions, without scipy."""

from __future__ import annotations

import math
from statistics import NormalDist

ALPHA = 0.05
"""The significance level of every decision, on finalists and on tests."""
LEVEL = 1 - ALPHA
"""The confidence level of the decision and of every interval that is reported."""

_NORMAL = NormalDist()


def normal_quantile(level: float) -> float:
    """Return the standard normal quantile of `level` (0 < level < 1)."""
    return _NORMAL.inv_cdf(level)


def normal_cdf(value: float) -> float:
    """Return the probability that a standard normal variable is at most `value`."""
    return _NORMAL.cdf(value)


def t_quantile(level: float, degrees: float) -> float:
    """Return the quantile of Student's t with `degrees` ≥ 1 (need not be whole), 0.5 ≤ level < 1.

    Source: G. W. Hill, "Algorithm 396: Student's t-quantiles", CACM 13 (1970) 619-620: a
    Cornish-Fisher expansion around the normal quantile, with a second series far out in the tail.
    Exact at 1 and 2 degrees, from there on good to three decimals or better. Between 1 and 2 it is
    the quantile of a level that is off by up to 0.06 at 0.55, 0.007 at 0.95 and 0.001 at 0.99, and
    hardly ever of a lower one.
    """
    if not 0.5 <= level < 1 or degrees < 1:
        raise ValueError(f"t_quantile takes 0.5 <= level < 1, degrees >= 1; got {level}, {degrees}")
    tails = 2 * (1 - level)
    if degrees == 1:
        return math.tan(math.pi * (level - 0.5))
    if degrees == 2:
        return math.sqrt(2 / (tails * (2 - tails)) - 2)
    return math.sqrt(degrees * _hill_square(tails, degrees))


def binomial_tail(successes: int, n: int, rate: float) -> float:
    """Return the probability of at most `successes` of `n` where each succeeds with `rate`."""
    if rate >= 1:
        return 1.0 if successes >= n else 0.0
    if rate <= 0:
        return 1.0
    odds = math.log(rate) - math.log1p(-rate)
    base = n * math.log1p(-rate)
    terms = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + base + k * odds
        for k in range(successes + 1)
    ]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def t_tail(value: float, degrees: float) -> float:
    """Return the probability that Student's t with `degrees` ≥ 1 is `value` or more.

    The inverse of `t_quantile`, by bisection; 1e-12 stands for anything smaller.
    """
    if value < 0:
        return 1 - t_tail(-value, degrees)
    # On the scale of the logarithm, so that small tails keep their digits.
    low, high = math.log(1e-12), math.log(0.5)
    for _ in range(50):
        middle = (low + high) / 2
        if t_quantile(1 - math.exp(middle), degrees) > value:
            low = middle
        else:
            high = middle
    return math.exp(high)


def _hill_square(tails: float, n: float) -> float:
    """Return t²/n for the two-tailed probability `tails`; names as in the printed algorithm."""
    a = 1 / (n - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * n
    y = math.pow(d * tails, 2 / n)
    if y <= 0.05 + a:
        inner = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)
        return (inner * y - 1) * (n + 1) / (n + 2) + 1 / y
    x = normal_quantile(0.5 * tails)
    y = x * x
    if n < 5:
        c += 0.3 * (n - 4.5) * (x + 0.6)
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return math.expm1(a * y * y)
