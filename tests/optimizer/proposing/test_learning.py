"""Learning to propose: choices take turns, until lessons tell which are better."""

import random
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


def asked(policy: PlanPolicy, count: int = 24) -> list[ProposalPlan]:
    return [policy.plan(turn) for turn in range(count)]


TURNS = asked(PlanPolicy(PLANS))


def test_a_rotation_takes_turns_whatever_it_is_told() -> None:
    rotation = PlanPolicy(PLANS)
    for turn in range(30):
        plan = rotation.plan(turn)
        rotation.learn(Lesson(plan, 1.0 if turn % 3 else -1.0, 25))
        assert plan == PLANS.rotated(turn)


def test_without_lessons_choices_take_turns() -> None:
    assert asked(learner()) == TURNS


def test_a_choice_that_earned_more_is_asked_in_place_of_those_whose_turn_it_is() -> None:
    lessons = [Lesson(replace(plan, tip="persona"), 0.3, 60) for plan in TURNS]
    lessons += [Lesson(plan, 0.0, 60) for plan in TURNS if plan.tip != "persona"]
    assert asked(learner(*lessons)) == [replace(plan, tip="persona") for plan in TURNS]


def test_a_choice_that_earned_less_loses_its_turns_and_no_other_does() -> None:
    lessons = [Lesson(replace(plan, strategy="history"), -0.3, 60) for plan in TURNS]
    lessons += [Lesson(plan, 0.0, 60) for plan in TURNS if plan.strategy != "history"]
    for plan, turn in zip(asked(learner(*lessons)), TURNS, strict=True):
        lost = turn.strategy == "history"
        assert plan == (replace(turn, strategy=plan.strategy) if lost else turn)
        assert plan.strategy != "history"


def test_a_lucky_lesson_changes_no_turn() -> None:
    lucky = Lesson(replace(SOME, tip="persona"), 0.5, 12)
    assert asked(learner(lucky, *(Lesson(plan, 0.0, 12) for plan in TURNS[:3]))) == TURNS


def test_lessons_of_chance_leave_nearly_all_turns() -> None:
    moved = 0
    for seed in range(20):
        noise = random.Random(seed)
        chance = [Lesson(PLANS.rotated(turn), noise.gauss(0, 0.16), 24) for turn in range(60)]
        plans = asked(learner(*chance), 12)
        moved += sum(plan != turn for plan, turn in zip(plans, TURNS, strict=False))
    assert moved < 0.15 * 20 * 12


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
            plan = policy.plan(turn)
            made.append(plan.strategy == "reflective")
            policy.learn(Lesson(plan, 0.2 * made[-1] + noise.gauss(0, 0.1), 40))
        shares.append(sum(made[90:]) / 30)
    assert sum(shares) / 4 > 0.8
