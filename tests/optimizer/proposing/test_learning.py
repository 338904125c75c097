"""Learning to propose: turns without it, and with it plans drawn by what their choices earned."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from optimizer_world import without

from pytest_mipro.optimizer.proposing.proposal_plan import (
    PRIOR,
    Lesson,
    PlanPolicy,
    PlanSpace,
    ProposalPlan,
)
from pytest_mipro.optimizer.study.settings import OptimizerSettings

NAMES = ("grounded", "history", "reflective")
PLANS = PlanSpace(NAMES, ("a/a", "b/b"), OptimizerSettings())
SOME = PLANS.rotated(0)


def learner(*lessons: Lesson, plans: PlanSpace = PLANS) -> PlanPolicy:
    return PlanPolicy(plans, learning=True, lessons=lessons)


def asked(policy: PlanPolicy, count: int = 200) -> list[ProposalPlan]:
    return [policy.plan(0, f"key {number}") for number in range(count)]


def test_a_rotation_takes_turns_whatever_it_is_told() -> None:
    rotation, other = PlanPolicy(PLANS), PlanPolicy(PLANS)
    for turn in range(30):
        plan = rotation.plan(turn, "a")
        other.learn(Lesson(plan, 1.0 if turn % 3 else -1.0, 25))
        assert plan == other.plan(turn, "b") == PLANS.rotated(turn)


def test_the_key_alone_draws_the_plan_of_equal_learners() -> None:
    lessons = [Lesson(PLANS.rotated(turn), turn / 50, 20) for turn in range(9)]
    assert asked(learner(*lessons)) == asked(learner(*lessons))
    assert learner().plan(0, "a") == learner().plan(7, "a")
    assert len(set(asked(learner()))) > 50


@pytest.mark.parametrize("lift", [-0.3, 0.3])
def test_a_choice_is_asked_for_by_what_it_earned_and_a_plan_may_come_again(lift: float) -> None:
    plans = [plan for plan in asked(learner(), 60) if plan.tip != "persona"]
    lessons = [Lesson(replace(plan, tip="persona"), lift, 60) for plan in plans]
    lessons += [Lesson(plan, 0.0, 60) for plan in plans]
    before, after = asked(learner()), asked(learner(*lessons))

    def share(made: list[ProposalPlan]) -> float:
        return sum(plan.tip == "persona" for plan in made) / len(made)

    assert share(after) > 0.9 if lift > 0 else share(after) < 0.02
    assert 0.02 < share(before) < 0.6
    assert max(Counter(after).values()) > 1


def test_more_rows_tell_more() -> None:
    def effect(rows: int) -> float:
        policy = learner(Lesson(SOME, 0.3, rows), Lesson(replace(SOME, tip="simple"), 0.0, rows))
        return max(lift for _, lift, _ in policy.effects())

    assert 0 < effect(4) < effect(40)


def test_a_lesson_of_other_models_strategies_or_parts_tells_nothing() -> None:
    strangers = [
        replace(SOME, strategy="gone"),
        replace(SOME, model="c/c"),
        replace(SOME, tip="gone"),
    ]
    taught = learner(*(Lesson(plan, 0.9, 30) for plan in strangers), Lesson(SOME, 0.9, 0))
    assert asked(taught) == asked(learner())
    fewer = PlanSpace(NAMES, ("a/a",), OptimizerSettings(parts=without("dataset")))
    assert PLANS.rotated(0) not in fewer
    assert fewer.rotated(0) in fewer


def test_the_prior_is_where_learning_starts() -> None:
    policy = PlanPolicy(PLANS, learning=True, prior={("strategy", "history"): 0.5})
    assert {plan.strategy for plan in asked(policy)} == {"history"}
    told = {pair: lift for pair, lift, _ in policy.effects()}
    assert told["strategy", "history"] == pytest.approx(0.5)
    assert told["strategy", "grounded"] == pytest.approx(0.0)


def test_the_prior_names_choices_that_there_are() -> None:
    known = {(name, value) for name, values in PLANS.choices.items() for value in values}
    assert set(PRIOR) <= known
    assert all(abs(lift) < 0.2 for lift in PRIOR.values())


def test_the_way_that_lifts_is_asked_more_and_more() -> None:
    shares = []
    for seed in range(4):
        policy, noise, made = learner(), random.Random(seed), []
        for turn in range(120):
            plan = policy.plan(turn, f"{seed}/{turn}")
            made.append(plan.strategy == "reflective")
            policy.learn(Lesson(plan, 0.2 * made[-1] + noise.gauss(0, 0.1), 40))
        shares.append(sum(made[90:]) / 30)
    assert sum(shares) / 4 > 0.8
