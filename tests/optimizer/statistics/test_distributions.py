"""Quantiles against printed tables, tails against their definitions."""

import math
from statistics import NormalDist

import pytest

from pytest_mipro.optimizer.statistics.distributions import (
    binomial_tail,
    normal_quantile,
    t_quantile,
    t_tail,
)


@pytest.mark.parametrize(
    ("degrees", "level", "table"),
    [
        (1, 0.95, 6.31375),
        (2, 0.95, 2.91999),
        (3, 0.975, 3.18245),
        (4, 0.99, 3.74695),
        (5, 0.9995, 6.86883),
        (10, 0.975, 2.22814),
        (30, 0.95, 1.69726),
        (30, 0.999, 3.38518),
        (60, 0.95, 1.67065),
        (100, 0.9995, 3.39049),
    ],
)
def test_t_quantile_agrees_with_the_table(degrees: int, level: float, table: float) -> None:
    assert t_quantile(level, degrees) == pytest.approx(table, abs=1e-4)


def test_t_quantile_tends_to_the_normal_one_and_is_zero_in_the_middle() -> None:
    assert t_quantile(0.95, 1e7) == pytest.approx(NormalDist().inv_cdf(0.95), abs=1e-5)
    assert t_quantile(0.5, 40) == pytest.approx(0, abs=1e-9)
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)


def test_t_quantile_falls_with_the_degrees_also_between_whole_numbers() -> None:
    grid = [1 + step / 4 for step in range(80)]
    values = [t_quantile(0.95, degrees) for degrees in grid]
    assert all(map(math.isfinite, values))
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(("level", "degrees"), [(0.4, 5), (1.0, 5), (0.95, 0.5)])
def test_t_quantile_refuses_what_it_can_not_compute(level: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="t_quantile takes"):
        t_quantile(level, degrees)


def exact(successes: int, n: int, rate: float) -> float:
    return sum(math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(successes + 1))


@pytest.mark.parametrize(("k", "n", "rate"), [(0, 5, 0.8), (3, 10, 0.5), (170, 200, 0.9)])
def test_the_binomial_tail_is_exact(k: int, n: int, rate: float) -> None:
    assert binomial_tail(k, n, rate) == pytest.approx(exact(k, n, rate), rel=1e-9)


def test_the_binomial_tail_at_its_ends() -> None:
    assert binomial_tail(9, 10, 1.0) == 0.0
    assert binomial_tail(10, 10, 1.0) == 1.0
    assert binomial_tail(0, 10, 0.0) == 1.0
    assert binomial_tail(10, 10, 0.3) == pytest.approx(1.0)


@pytest.mark.parametrize("degrees", [1, 2, 4.5, 30, 500])
@pytest.mark.parametrize("tail", [0.4, 0.05, 0.001])
def test_the_t_tail_inverts_its_quantile(degrees: float, tail: float) -> None:
    assert t_tail(t_quantile(1 - tail, degrees), degrees) == pytest.approx(tail, rel=1e-6)
    assert t_tail(-t_quantile(1 - tail, degrees), degrees) == pytest.approx(1 - tail, rel=1e-6)
