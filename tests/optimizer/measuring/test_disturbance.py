"""Disturbance: three runs of a case, and which of them is the odd one out."""

import random
from collections.abc import Sequence

import pytest

from pytest_mipro.optimizer.measuring.disturbance import disturbed_tests
from pytest_mipro.optimizer.study.case import Case, CaseRun, Evaluation, Outcome

CASES = [Case(f"t[{i:02}]", f"r{i}", "t", lambda: Outcome(1.0)) for i in range(40)]


def evaluation(cases: Sequence[Case], failing: Sequence[str] = ()) -> Evaluation:
    runs = (CaseRun(case, 0, Outcome(float(case.id not in failing)), ()) for case in cases)
    return Evaluation(tuple(runs))


def test_what_others_disturb_is_found() -> None:
    failing = [case.id for case in CASES[::3]]
    (found,) = disturbed_tests(evaluation(CASES, failing), evaluation)
    assert (found.test, found.sample) == ("t", 30)
    assert 5 < found.cases <= 14


def test_what_is_equal_alone_is_not_run_a_third_time() -> None:
    asked = []

    def alone(cases: Sequence[Case]) -> Evaluation:
        asked.append(len(cases))
        return evaluation(cases)

    assert disturbed_tests(evaluation(CASES), alone) == ()
    assert asked == [30]


@pytest.mark.parametrize("few", [1, 2])
def test_few_differences_may_be_chance(few: int) -> None:
    some = CASES[:few]
    assert disturbed_tests(evaluation(some, [case.id for case in some]), evaluation) == ()


def test_a_test_that_rolls_dice_is_rarely_taken_for_disturbed() -> None:
    found = 0
    for seed in range(400):
        dice = random.Random(seed)

        def rolled(cases: Sequence[Case], dice: random.Random = dice) -> Evaluation:
            return evaluation(cases, [case.id for case in cases if dice.random() < 0.3])

        found += bool(disturbed_tests(rolled(CASES), rolled))
    assert found / 400 < 0.06


def test_scores_that_are_equal_but_for_rounding_are_equal() -> None:
    shifted = [CaseRun(case, 0, Outcome(1 - 1e-12), ()) for case in CASES]
    assert disturbed_tests(Evaluation(tuple(shifted)), evaluation) == ()
