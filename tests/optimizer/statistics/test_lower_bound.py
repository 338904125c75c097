"""The lower bound of a mean difference: known values, its order, and how often it errs."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.statistics.lower_bound import Unit, lower_bound

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def bound(differences: list[float], level: float = 0.95) -> float:
    return lower_bound([Unit(1 / len(differences), value) for value in differences], level)


def outcomes(better: int, worse: int, same: int) -> list[float]:
    return [1.0] * better + [-1.0] * worse + [0.0] * same


def mid_p(better: int, worse: int) -> float:
    n = better + worse
    ways = [math.comb(n, k) / 2**n for k in range(n + 1)]
    return sum(ways[better + 1 :]) + ways[better] / 2


@pytest.mark.parametrize(("better", "worse"), [(5, 1), (9, 3), (15, 7), (40, 25)])
def test_for_pass_and_fail_it_is_the_mid_p_sign_test(better: int, worse: int) -> None:
    level = 1 - mid_p(better, worse)
    differences = outcomes(better, worse, 20)
    assert bound(differences, level - 0.006) > 0
    assert bound(differences, level + 0.006) < 0


def beta_below_half(a: float, b: float, steps: int = 20_000) -> float:
    """Return the probability that a beta variable is below one half, by the midpoint rule."""
    width = 0.5 / steps
    points = [(step + 0.5) * width for step in range(steps)]
    area = math.fsum(x ** (a - 1) * (1 - x) ** (b - 1) for x in points) * width
    return area * math.gamma(a + b) / math.gamma(a) / math.gamma(b)


@pytest.mark.parametrize(("better", "worse"), [(3, 0), (4, 0), (6, 0), (7, 1), (12, 4)])
def test_for_pass_and_fail_half_a_loss_was_not_seen(better: int, worse: int) -> None:
    # Weights of the gains are below those of the losses: a beta variable is below one half.
    level = 1 - beta_below_half(better, worse + 0.5)
    assert bound(outcomes(better, worse, 20), level - 0.003) > 0
    assert bound(outcomes(better, worse, 20), level + 0.003) < 0


def drawn_bound(differences: list[float], unseen: float, level: float) -> float:
    """Return the quantile of weighted means, with an unseen row of that value, by simulation."""
    rng = np.random.default_rng(3)
    weights = rng.standard_exponential((200_000, len(differences) + 1))
    means = weights @ np.array([*differences, unseen]) / weights.sum(axis=1)
    return float(np.quantile(means, 1 - level))


@pytest.mark.parametrize("level", [0.95, 0.995])
def test_its_quantile_is_that_of_the_weighted_mean(level: float) -> None:
    differences = [0.2, 0.1, 0.05, 0.3, 0.2, 0.15, 0.1, 0.4, 0.25, 0.1]  # no loss: the unseen is -1
    assert bound(differences, level) == pytest.approx(
        drawn_bound(differences, -1.0, level), abs=0.01
    )


def test_small_gains_alone_prove_nothing() -> None:
    # A total loss in every tenth row would stay unseen in 4 % of the runs.
    assert bound([0.09] * 30) < 0 < bound([0.11] * 30)
    assert bound([0.11] * 30, 1 - 0.05 / 30) < 0


def test_losses_that_were_seen_replace_the_total_one() -> None:
    differences = [0.4, -0.2] * 15
    unseen = -(15 * 0.2**3 + 1) / (15 * 0.2**2 + 1)
    made = bound(differences)
    assert made == pytest.approx(drawn_bound(differences, unseen, 0.95), abs=0.002)
    assert made > drawn_bound(differences, -1.0, 0.95) + 0.005


def test_the_heaviest_row_may_hide_the_loss() -> None:
    even = [Unit(1 / 40, 0.2) for _ in range(40)]
    uneven = [*(Unit(0.5 / 36, 0.2) for _ in range(36)), *(Unit(0.5 / 4, 0.2) for _ in range(4))]
    assert lower_bound(uneven, 0.95) < 0 < lower_bound(even, 0.95)


def test_without_rows_it_is_the_least() -> None:
    assert lower_bound([], 0.95) == -1.0
    assert bound([-1.0] * 7) == pytest.approx(-1.0)


@given(
    st.lists(
        st.one_of(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 1.0])), min_size=1, max_size=25
    ),
    st.sampled_from([(0.8, 0.9), (0.95, 0.975), (0.99, 0.9999)]),
)
def test_it_lies_below_the_mean_and_falls_with_the_level(
    differences: list[float], levels: tuple[float, float]
) -> None:
    low, high = bound(differences, levels[1]), bound(differences, levels[0])
    assert -1 <= low <= high + 1e-9
    assert high <= sum(differences) / len(differences) + 1e-9


def rare(share: float, scatter: float) -> Draw:
    """A total loss in a share of the rows, a little gain in the others, no lift on average."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        gains = share / (1 - share) + scatter * rng.normal(size=shape)
        return np.where(rng.random(shape) < share, -1.0, np.clip(gains, -1, 1))

    return draw


def thirds(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return (rng.integers(0, 4, shape) - rng.integers(0, 4, shape)) / 3


def passes(change: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        return rng.choice([-1.0, 0.0, 1.0], shape, p=[change / 2, 1 - change, change / 2])

    return draw


@pytest.mark.parametrize("n", [20, 30, 100])
@pytest.mark.parametrize(
    "draw",
    [passes(0.1), passes(0.6), thirds, rare(0.11, 0.0), rare(0.06, 0.05), rare(0.02, 0.05)],
    ids=["ties", "changes", "thirds", "rare", "rare and scattered", "very rare"],
)
def test_it_errs_as_rarely_as_it_says(n: int, draw: Draw) -> None:
    rows = draw(np.random.default_rng(n), (400, n))
    wrong = sum(bound(row) > 1e-9 for row in rows.tolist()) / len(rows)
    assert wrong <= 0.05 + 0.027  # two and a half standard errors of 400 runs


@pytest.mark.parametrize(("n", "share"), [(10, 0.2), (20, 0.1), (50, 0.05)])
def test_a_fall_that_no_row_shows_is_not_excluded(n: int, share: float) -> None:
    # Rows that fail in `share` of the runs and never gain all stay the same in more than 5 %.
    assert (1 - share) ** n > 0.05
    assert bound(outcomes(0, 0, n)) < -share


def test_a_gain_for_sure_has_the_bound_of_mid_p_and_another_a_safe_one() -> None:
    assert bound(outcomes(4, 0, 20)) > 0 > bound(outcomes(3, 0, 20))
    # The exact chance of 20 equal rows is 5 % where 14 % of them fall.
    assert bound(outcomes(0, 0, 20)) == pytest.approx(0.05 ** (1 / 20) - 1, abs=0.002)
