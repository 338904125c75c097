"""Two samples of a lift: how often both together err, and what each adds."""

import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_mipro.optimizer.statistics.combination import Combined, corrected, critical
from pytest_mipro.optimizer.statistics.distributions import normal_quantile
from pytest_mipro.optimizer.statistics.intervals import PairedLift, paired_lift
from pytest_mipro.optimizer.statistics.lower_bound import Unit, lower_bound, sureness
from pytest_mipro.optimizer.study.case import Case, Outcome


def lift_of(differences: list[int]) -> PairedLift:
    cases = [Case(f"t[{n}]", str(n), "t", lambda: Outcome(1.0)) for n in range(len(differences))]
    after = {case.id: float(value > 0) for case, value in zip(cases, differences, strict=True)}
    before = {case.id: float(value < 0) for case, value in zip(cases, differences, strict=True)}
    return paired_lift(after, before, cases)


def lift(better: int, worse: int, same: int) -> PairedLift:
    return lift_of([1] * better + [-1] * worse + [0] * same)


def test_rows_that_chose_add_to_what_fresh_rows_show() -> None:
    fresh = lift(9, 3, 28)
    assert fresh.lower(0.975) < 0
    assert Combined(fresh, lift(14, 3, 23), tried=10).lower(0.975) > 0
    weak = Combined(fresh, lift(5, 4, 31), tried=10).lower(0.975)
    assert weak < 0


def test_the_more_were_tried_the_less_the_rows_that_chose_prove() -> None:
    bounds = [Combined(lift(9, 3, 28), lift(14, 3, 23), n).lower(0.975) for n in (1, 10, 100)]
    assert bounds == sorted(bounds, reverse=True)


@pytest.mark.parametrize("chosen", [lift(0, 40, 0), lift(0, 0, 40), lift(40, 0, 0)])
def test_the_bound_of_a_total_loss_is_a_total_loss(chosen) -> None:
    assert Combined(lift(0, 30, 0), chosen, tried=3).lower(0.96) == pytest.approx(-1)


def test_no_bound_is_above_the_mean_of_the_fresh_rows() -> None:
    fresh = lift(4, 3, 33)
    assert Combined(fresh, lift(38, 0, 2), tried=1).lower(0.8) <= fresh.mean


def test_equal_programs_are_taken_for_better_no_more_often_than_said() -> None:
    rng, runs, tried, wrong = random.Random(7), 400, 6, 0
    for _ in range(runs):
        drawn = [[rng.choice((-1, 1, 0, 0, 0)) for _ in range(40)] for _ in range(tried)]
        chosen = lift_of(max(drawn, key=sum))
        fresh = lift_of([rng.choice((-1, 1, 0, 0, 0)) for _ in range(40)])
        wrong += Combined(fresh, chosen, tried).lower(0.95) > 0
    assert wrong / runs < 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


@pytest.mark.parametrize("share", [0.5, 2 / 3, 0.75])
def test_the_joint_sureness_errs_as_often_as_said(share: float) -> None:
    """Rows that chose never speak against: a normal quantile would err in up to 4.6 %."""
    fresh, chosen = np.random.default_rng(5).standard_normal((2, 400_000))
    joint = share**0.5 * fresh + (1 - share) ** 0.5 * np.maximum(0, chosen)
    assert (joint > critical(0.96, share)).mean() == pytest.approx(0.04, abs=0.001)
    assert (joint > normal_quantile(0.96)).mean() > 0.0415


def test_the_correction_takes_no_sureness_below_0() -> None:
    assert corrected(1.0, 10) == 0
    assert corrected(3.0, 1) == pytest.approx(3.0)
    assert 0 < corrected(3.0, 10) < 3.0


@given(
    st.lists(st.sampled_from([-0.5, -0.25, 0.0, 0.25, 0.5]), min_size=8, max_size=40)
    | st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=8, max_size=40),  # pass or fail
    st.floats(0.6, 0.99),
)
def test_sureness_is_that_of_the_level_at_which_the_bound_is_the_value(
    values: list[float], level: float
) -> None:
    assume(len(set(values)) > 1)
    units = [Unit(1 / len(values), value) for value in values]
    bound = lower_bound(units, level)
    assert sureness(units, bound) == pytest.approx(normal_quantile(level), abs=0.02)
