"""Learning to propose: turns without it, and what a searcher is told and asked with it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import without

from pytest_mipro.optimizer.proposing.proposal_plan import (
    Lesson,
    PlanPolicy,
    PlanSpace,
    ProposalPlan,
)
from pytest_mipro.optimizer.search.searcher import Assignment, RandomSearcher
from pytest_mipro.optimizer.search.tpe import TPESearcher
from pytest_mipro.optimizer.study.settings import OptimizerSettings

NAMES = ("grounded", "history", "reflective")
PLANS = PlanSpace(NAMES, ("a/a", "b/b"), OptimizerSettings())


class Listening(RandomSearcher):
    """Notes what it is told."""

    def __init__(self, plans: PlanSpace = PLANS) -> None:
        super().__init__(plans.space, 0)
        self.told: list[tuple[Assignment, float, float]] = []

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        super().tell(assignment, score, weight)
        self.told.append((assignment, score, weight))


def test_a_rotation_takes_turns_whatever_it_is_told() -> None:
    rotation, other = PlanPolicy(PLANS), PlanPolicy(PLANS)
    for turn in range(30):
        plan = rotation.plan(turn)
        other.learn(Lesson(plan, 1.0 if turn % 3 else -1.0, 25))
        assert plan == other.plan(turn) == PLANS.rotated(turn)


def test_a_learner_asks_its_searcher_for_each_plan() -> None:
    learner = PlanPolicy(PLANS, Listening())
    again = Listening()
    for turn in range(20):
        assignment = again.ask()
        assert assignment is not None
        assert learner.plan(turn) == PLANS.plan(assignment)


@given(st.floats(-1, 1), st.integers(0, 80))
def test_a_lift_is_told_as_a_score_with_its_rows(lift: float, rows: int) -> None:
    searcher = Listening()
    plan = PLANS.plan((1, 2, 1, 0, 2, 1, 1))
    PlanPolicy(PLANS, searcher).learn(Lesson(plan, lift, rows))
    if rows == 0:
        assert searcher.told == []
    else:
        ((assignment, score, weight),) = searcher.told
        assert assignment == (1, 2, 1, 0, 2, 1, 1)
        assert score == pytest.approx((1 + lift) / 2)
        assert weight == rows


def test_what_earlier_runs_learnt_is_told_first_as_far_as_it_is_of_this_space() -> None:
    plan = PLANS.plan((0,) * 7)
    stranger = ProposalPlan("gone", "none", True, True, "mixed", 1.0, "a/a")
    searcher = Listening()
    memory = [Lesson(plan, 0.5, 30), Lesson(stranger, 0.9, 30)]
    PlanPolicy(PLANS, searcher, memory)
    assert searcher.told == [((0,) * 7, 0.75, 30)]


def test_once_all_plans_were_asked_for_the_rotation_goes_on() -> None:
    settings = OptimizerSettings(parts=without("tips", "dataset", "program"))
    few = PlanSpace(("grounded",), ("a/a",), settings)
    assert few.space.count == 6
    learner = PlanPolicy(few, Listening(few))
    first = {learner.plan(turn) for turn in range(6)}
    assert len(first) == 6
    assert learner.plan(6) == few.rotated(6)


def test_the_way_that_lifts_is_asked_more_and_more() -> None:
    def share(searcher: TPESearcher | RandomSearcher) -> float:
        learner = PlanPolicy(PLANS, searcher)
        noise, asked = random.Random(0), []
        for turn in range(60):
            plan = learner.plan(turn)
            asked.append(plan.strategy == "reflective")
            lift = 0.2 * asked[-1] + noise.gauss(0, 0.05)
            learner.learn(Lesson(plan, lift, 40))
        return sum(asked[30:]) / 30

    learnt = sum(share(TPESearcher(PLANS.space, seed)) for seed in range(4)) / 4
    assert learnt > 0.6
    assert learnt > sum(share(RandomSearcher(PLANS.space, seed)) for seed in range(4)) / 4 + 0.2
