"""The bookkeeping that all searchers share."""

import random

import pytest

from pytest_mipro.optimizer.search.searcher import Visits, check_estimate
from pytest_mipro.optimizer.search.space import Space

SPACE = Space((2, 3), ("a", "b"))


def test_neighbours_differ_in_one_dimension_and_are_unseen() -> None:
    visits = Visits(SPACE)
    visits.mark((0, 1))
    assert visits.unseen_neighbours((0, 0)) == [(1, 0), (0, 2)]


def test_random_unseen_reaches_every_assignment_with_about_equal_chance() -> None:
    drawn = []
    for seed in range(600):
        visits = Visits(SPACE)
        visits.mark((0, 0))
        drawn.append(visits.random_unseen(random.Random(seed)))
    counts = [drawn.count(assignment) for assignment in SPACE]
    assert counts[0] == 0
    assert min(counts[1:]) > 80


@pytest.mark.parametrize(
    ("score", "weight"), [(1.1, 1), (-0.1, 1), (float("nan"), 1), (0.5, 0), (0.5, float("inf"))]
)
def test_what_is_no_estimate_is_refused(score: float, weight: float) -> None:
    with pytest.raises(ValueError, match="score in 0…1 and a weight > 0"):
        check_estimate(score, weight)
