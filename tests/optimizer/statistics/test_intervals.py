"""Objective, intervals and paired lift: known values, symmetry, and coverage by simulation."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.statistics.intervals import (
    Interval,
    PairedLift,
    mean_interval,
    objective,
    objective_interval,
    paired_lift,
)
from pytest_mipro.optimizer.statistics.intervals import test_means as means_by_test  # not a test,
from pytest_mipro.optimizer.statistics.lower_bound import Unit, lower_bound
from pytest_mipro.optimizer.statistics.power import detectable_difference


@dataclass(frozen=True)
class Scored:
    id: str
    row: str
    test: str = "test_queue"
    unit: str = ""


def rows(n: int, test: str = "test_queue", start: int = 0) -> list[Scored]:
    return [Scored(f"{test}[{i}]", f"r{i}", test) for i in range(start, start + n)]


def lift_of(differences: list[float]) -> PairedLift:
    cases = rows(len(differences))
    after = {case.id: max(d, 0) for case, d in zip(cases, differences, strict=True)}
    before = {case.id: max(-d, 0) for case, d in zip(cases, differences, strict=True)}
    return paired_lift(after, before, cases)


def test_the_objective_is_the_unweighted_mean_of_the_tests_means() -> None:
    scores = {"a1": 1.0, "a2": 1.0, "a3": 0.0, "a4": 0.0, "b1": 0.2}
    tests = {"a1": "a", "a2": "a", "a3": "a", "a4": "a", "b1": "b", "b2": "b"}
    assert objective(scores, tests) == pytest.approx((0.5 + 0.2) / 2)
    assert means_by_test(scores, tests) == {"a": 0.5, "b": 0.2}


def test_no_scores_are_no_objective() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        objective({}, {})


def test_passes_and_failures_get_wilsons_interval() -> None:
    interval = mean_interval([1.0] * 81 + [0.0] * 182)  # Newcombe (1998), table I, 81 of 263
    assert interval.low == pytest.approx(0.2553, abs=5e-5)
    assert interval.high == pytest.approx(0.3662, abs=5e-5)
    none, all_passed = mean_interval([0.0] * 20), mean_interval([1.0] * 20)
    assert (none.low, all_passed.high) == (0.0, 1.0)
    assert none.high == pytest.approx(1 - all_passed.low) == pytest.approx(0.1611, abs=5e-5)


def test_graded_scores_get_agresti_coull_extended() -> None:
    # One score off by a hair leaves Wilson for Agresti-Coull, whose value for 9 of 10 is known.
    interval = mean_interval([1.0] * 9 + [1e-12], level=0.95)
    assert interval.low == pytest.approx(0.574, abs=1e-3)
    assert interval.high == 1.0


def test_equal_graded_scores_keep_a_width() -> None:
    interval = mean_interval([0.5] * 30)
    assert 0.02 < interval.high - 0.5 == pytest.approx(0.5 - interval.low)


def test_a_row_that_comes_twice_is_one_observation() -> None:
    scores = [1.0, 1.0, 0.0, 0.0] * 10
    once = mean_interval([1.0, 0.0] * 10)
    twice = mean_interval(scores, [f"r{i // 2}" for i in range(40)])
    apart = mean_interval(scores)
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.02)
    assert twice.high - twice.low > 1.2 * (apart.high - apart.low)


def test_without_scores_the_interval_says_nothing() -> None:
    assert mean_interval([]) == Interval(0.0, 1.0)
    assert objective_interval({}, []) == Interval(0.0, 1.0)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcdef")), min_size=1, max_size=30),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_every_interval_holds_its_mean_and_has_a_width(
    scored: list[tuple[float, str]], level: float
) -> None:
    scores = [score for score, _ in scored]
    mean = sum(scores) / len(scores)
    for clusters in (None, [row for _, row in scored]):
        interval = mean_interval(scores, clusters, level)
        assert 0 <= interval.low <= mean + 1e-12
        assert mean - 1e-12 <= interval.high <= 1
        assert interval.high - interval.low > 0


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("mean", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("n", [15, 60])
def test_coverage_of_the_mean(n: int, mean: float, graded: bool) -> None:
    rng = np.random.default_rng(7)
    shape = (600, n)
    draws = rng.beta(4 * mean, 4 * (1 - mean), shape) if graded else rng.random(shape) < mean
    held = 0
    for scores in draws.astype(float).tolist():
        interval = mean_interval(scores)
        held += interval.low <= mean <= interval.high
    assert held / 600 > 0.95 - 0.03


def test_objective_interval_clusters_by_row_over_tests() -> None:
    cases = [*rows(30, "a"), *rows(30, "b")]
    scores = {case.id: float(int(case.row[1:]) % 2) for case in cases}
    both = objective_interval(scores, cases)
    alone = objective_interval(scores, cases[:30])
    assert both.high - both.low == pytest.approx(alone.high - alone.low, rel=0.02)


def test_the_mean_lift_is_the_difference_of_the_objectives() -> None:
    cases = [*rows(20, "a"), *rows(5, "b", 18), *rows(1, "c", 50)]
    rng = np.random.default_rng(0)
    after = {case.id: float(rng.random()) for case in cases}
    before = {case.id: float(rng.random()) for case in cases}
    tests = {case.id: case.test for case in cases}
    lift = paired_lift(after, before, cases)
    assert lift.mean == pytest.approx(objective(after, tests) - objective(before, tests))
    assert lift.rows == 24
    assert 1 < lift.size < 24  # the row of test c weighs as much as the 20 rows of test a


def test_the_bounds_of_a_lift_are_those_of_its_differences() -> None:
    # 10 rows: 4 better, 1 worse. The other side is that of 1 better, 4 worse.
    lift = lift_of([1.0] * 4 + [-1.0] + [0.0] * 5)
    assert lift.mean == pytest.approx(0.3)
    units = [Unit(0.1, value) for value in [1.0] * 4 + [-1.0] + [0.0] * 5]
    mirrored = [Unit(unit.weight, -unit.value) for unit in units]
    assert lift.lower_one_sided == lift.lower(0.95) == pytest.approx(lower_bound(units, 0.95))
    assert lift.low == pytest.approx(lower_bound(units, 0.975))
    assert lift.high == pytest.approx(-lower_bound(mirrored, 0.975))
    assert -1 < lift.low < lift.lower_one_sided < 0.3 < lift.high < 1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=25))
def test_swapping_the_prompts_mirrors_the_lift(pairs: list[tuple[float, float]]) -> None:
    cases = rows(len(pairs))
    after = {case.id: pair[0] for case, pair in zip(cases, pairs, strict=True)}
    before = {case.id: pair[1] for case, pair in zip(cases, pairs, strict=True)}
    lift, mirrored = paired_lift(after, before, cases), paired_lift(before, after, cases)
    assert mirrored.mean == pytest.approx(-lift.mean, abs=1e-12)
    assert (mirrored.low, mirrored.high) == pytest.approx((-lift.high, -lift.low), abs=1e-9)
    assert -1 <= lift.low <= lift.lower_one_sided < lift.high <= 1


def test_rows_of_no_difference_prove_nothing_exactly() -> None:
    lift = lift_of([0.0] * 40)
    assert lift.low < 0 < lift.high
    assert lift.low == pytest.approx(-lift.high)


def test_a_row_in_two_tests_is_one_row() -> None:
    cases = [*rows(30, "a"), *rows(30, "b")]
    after = {case.id: float(int(case.row[1:]) % 3 == 0) for case in cases}
    lift = paired_lift(after, dict.fromkeys(after, 0.0), cases)
    assert lift == paired_lift(after, dict.fromkeys(after, 0.0), cases[:30])


@pytest.mark.parametrize("few", [3, 10])
def test_a_test_of_few_rows_counts_as_few_rows(few: int) -> None:
    # Half of the objective rests on a few rows; 100 rows of another test must not hide that.
    cases = [*rows(100, "a"), *rows(few, "b", 100)]
    rng = np.random.default_rng(3)
    accepted = 0
    for changes in rng.choice([-1.0, 0.0, 1.0], (500, len(cases)), p=[0.25, 0.5, 0.25]).tolist():
        after = {case.id: change for case, change in zip(cases, changes, strict=True)}
        accepted += paired_lift(after, dict.fromkeys(after, 0.0), cases).lower_one_sided > 0
    assert accepted / 500 < 0.05 + 0.03


def test_a_missing_score_is_an_error_not_a_zero() -> None:
    cases = rows(3)
    scores = {case.id: 1.0 for case in cases}
    with pytest.raises(KeyError):
        paired_lift({cases[0].id: 1.0}, scores, cases)


@pytest.mark.parametrize("n", [30, 60, 120])
@pytest.mark.parametrize(
    ("better", "worse"), [(0.02, 0.02), (0.1, 0.1), (0.3, 0.3), (0.1, 0.02), (0.3, 0.15)]
)
def test_one_sided_coverage_of_pass_and_fail(n: int, better: float, worse: float) -> None:
    rng = np.random.default_rng(20)
    outcomes = rng.multinomial(n, [better, worse, 1 - better - worse], size=5000)
    kinds, counts = np.unique(outcomes, axis=0, return_counts=True)
    missed = np.zeros(2)
    for (up, down, same), count in zip(kinds.tolist(), counts.tolist(), strict=True):
        lift = lift_of([1.0] * up + [-1.0] * down + [0.0] * same)
        truth = better - worse
        mirrored = lift_of([-1.0] * up + [1.0] * down + [0.0] * same)
        missed += count * np.array(
            [lift.lower_one_sided > truth, mirrored.lower_one_sided > -truth]
        )
    assert missed.max() / 5000 < 0.075
    if better == worse:  # the error that matters: accepting a candidate that is no better
        assert missed.max() / 5000 < 0.06


@pytest.mark.parametrize("n", [30, 60, 120])
@pytest.mark.parametrize("kind", ["fine", "coarse", "rare"])
def test_one_sided_coverage_of_graded_differences(n: int, kind: str) -> None:
    rng = np.random.default_rng(11)
    shape = (500, n)
    if kind == "fine":
        draws = rng.beta(2, 2, shape) - rng.beta(2, 2, shape)
    elif kind == "coarse":
        draws = rng.integers(0, 4, shape) / 3 - rng.integers(0, 4, shape) / 3
    else:  # one row in twenty loses everything, the others gain a little: no lift on average
        draws = np.where(rng.random(shape) < 0.05, -1.0, 0.05 / 0.95)
    missed = sum(lift_of(row).lower_one_sided > 1e-9 for row in draws.tolist())
    assert missed / 500 < 0.05 + 0.03


def test_far_out_bounds_do_not_trust_unseen_losses() -> None:
    # 60 rows that all gain 0.05: a loss of 1 in one row of twenty would stay unseen in 5 % of runs,
    # far more than a level of 1 - 0.05 / 30 allows.
    lift = lift_of([0.0526] * 60)
    assert lift.lower(1 - 0.05 / 30) < 0


def test_the_detectable_difference_is_detected_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    for n in (20, 60):
        sd = 0.56
        truth = detectable_difference(n, sd, power=0.7)
        changed = sd**2 + truth**2  # share of rows that change, for this sd and mean
        up, down = (changed + truth) / 2, (changed - truth) / 2
        draws = rng.multinomial(n, [up, down, 1 - changed], 1500)
        kinds, counts = np.unique(draws, axis=0, return_counts=True)
        hits = 0
        for (ups, downs, same), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            lift = lift_of([1.0] * ups + [-1.0] * downs + [0.0] * same)
            hits += count * (lift.lower_one_sided > 0)
        assert hits / 1500 == pytest.approx(0.7, abs=0.07)


def test_more_rows_detect_less_and_no_rows_detect_nothing() -> None:
    values = [detectable_difference(n) for n in (0, 1, 5, 16, 50, 200, 1000)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0
    assert values[-1] < 0.05
    lift = lift_of([1.0, 0.0, 0.0, -1.0] * 10)
    assert lift.detectable() == pytest.approx(detectable_difference(40, 0.5**0.5))
    assert lift.detectable(level=0.999) > lift.detectable()
