"""p-values of means below a threshold, Holm's adjustment, detectable distances."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.statistics.distributions import binomial_tail
from pytest_mipro.optimizer.statistics.intervals import (
    below_p_value,
    detectable_distance,
    holm,
    mean_interval,
)


def rows(count):
    return [str(index) for index in range(count)]


def test_pass_and_fail_are_tested_exactly():
    scores = [1.0] * 6 + [0.0] * 4
    assert below_p_value(scores, rows(10), 0.8) == pytest.approx(binomial_tail(6, 10, 0.8))


def test_equal_graded_scores_have_no_certain_p_value():
    p_value = below_p_value([0.5] * 5, rows(5), 0.8)
    assert 0.001 < p_value < 0.5
    assert below_p_value([0.5] * 50, rows(50), 0.8) < p_value


def test_rows_count_once_whatever_their_cases():
    once = below_p_value([0.5, 0.7, 0.6], ["a", "b", "c"], 0.8)
    thrice = below_p_value([0.5, 0.7, 0.6] * 3, ["a", "b", "c"] * 3, 0.8)
    assert thrice == pytest.approx(once)


def test_no_scores_and_extreme_thresholds():
    assert below_p_value([], [], 0.8) == 1.0
    assert below_p_value([0.5, 0.25], rows(2), 0.0) > 0.5
    assert 0 <= below_p_value([1.0, 0.75], rows(2), 1.0) < 0.5


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=30),
    st.floats(0.05, 0.95),
    st.floats(0.0, 0.04),
)
def test_a_higher_threshold_is_never_less_suspect(scores, threshold, more):
    names = rows(len(scores))
    low, high = (below_p_value(scores, names, t) for t in (threshold, threshold + more))
    assert 0 <= high <= low + 1e-9 <= 1 + 1e-9


@pytest.mark.parametrize("size", [5, 12, 40])
def test_a_mean_at_the_threshold_is_rarely_called_below(size):
    draw = random.Random(size)
    values, weights = (0.5, 1.0), (0.4, 0.6)  # mean 0.8, skewed the bad way
    runs = [
        below_p_value(draw.choices(values, weights, k=size), rows(size), 0.8) < 0.05
        for _ in range(400)
    ]
    assert sum(runs) / len(runs) <= 0.08


def test_holm_adjusts_step_by_step():
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5})
    assert adjusted == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.5})
    assert holm({}) == {}
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}


def test_more_cases_detect_less():
    few, many = ([1.0, 0.0] * n for n in (10, 100))
    assert detectable_distance(few, rows(20)) > 2 * detectable_distance(many, rows(200))
    assert detectable_distance([], []) == 1.0


def test_the_detectable_distance_is_what_it_says():
    draw, truth = random.Random(7), 0.6
    sample = [float(draw.random() < truth) for _ in range(120)]
    threshold = truth - detectable_distance(sample, rows(120))
    runs = []
    for _ in range(500):
        scores = [float(draw.random() < truth) for _ in range(120)]
        runs.append(mean_interval(scores, rows(120), 2 * 0.95 - 1).low > threshold)  # one-sided
    assert sum(runs) / len(runs) == pytest.approx(0.7, abs=0.08)
