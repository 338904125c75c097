"""What is told of scores: objective, interval, means, and how many cases and rows they rest on."""

import pytest
from optimizer_world import make_rows, make_study

from pytest_mipro.optimizer.run.result import measured
from pytest_mipro.optimizer.study.case import Outcome


def test_measured_is_the_mean_of_the_tests_means_over_the_cases_given() -> None:
    passing = lambda row: Outcome(1.0)  # noqa: E731 - two tests that are never run here
    study = make_study(make_rows(2, 2, 0), {"test_a": passing, "test_b": passing})
    scores = {case.id: 0.0 for case in study.cases}
    scores |= {"test_a[r000]": 1.0, "test_a[r001]": 1.0, "test_b[r000]": 0.5}
    whole = measured(scores, study.cases)
    assert whole.tests == {"test_a": 0.5, "test_b": 0.125}
    assert whole.objective == pytest.approx(0.3125)
    assert (whole.cases, whole.rows) == (8, 4)
    assert 0 <= whole.interval.low < whole.objective < whole.interval.high <= 1

    part = measured(scores, [case for case in study.cases if case.row in ("r000", "r001")])
    assert part.tests == {"test_a": 1.0, "test_b": 0.25}
    assert (part.cases, part.rows) == (4, 2)


def test_a_case_without_a_score_is_no_zero() -> None:
    study = make_study(make_rows(1, 1, 0))
    with pytest.raises(KeyError):
        measured({"test_colour[r000]": 1.0}, study.cases)
