"""Plans: the space of ways to ask, and the turns that are taken without learning."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import without

from pytest_mipro.optimizer.proposing.proposal_plan import TIPS, PlanSpace, ProposalPlan
from pytest_mipro.optimizer.study.settings import OptimizerSettings

NAMES, MODELS = ("grounded", "history"), ("a/a", "b/b")


def plans(*off: str, names: tuple[str, ...] = NAMES, models: tuple[str, ...] = MODELS) -> PlanSpace:
    return PlanSpace(names, models, OptimizerSettings(parts=without(*off)))


def test_the_space_has_a_dimension_for_each_choice_of_a_plan() -> None:
    space = plans().space
    assert dict(zip(space.names, space.sizes, strict=True)) == {
        "strategy": 2,
        "tip": len(TIPS),
        "dataset": 2,
        "program": 2,
        "examples": 3,
        "temperature": 2,
        "model": 2,
    }
    first = plans().plan((0,) * 7)
    assert first == ProposalPlan("grounded", "none", True, True, "mixed", 1.0, "a/a")


@given(st.data())
def test_plans_and_assignments_are_one_to_one(data: st.DataObject) -> None:
    known = plans()
    assignment = tuple(data.draw(st.integers(0, size - 1)) for size in known.space.sizes)
    assert known.assignment(known.plan(assignment)) == assignment


@pytest.mark.parametrize(
    ("off", "value"), [("tips", {"none"}), ("dataset", {False}), ("program", {False})]
)
def test_a_part_that_is_switched_off_is_no_choice(off: str, value: set[Any]) -> None:
    known = plans(off)
    field = off.removesuffix("s")
    assert {getattr(known.plan(item), field) for item in known.space} == value
    assert {getattr(plans().plan(item), field) for item in plans().space} > value
    assert {getattr(known.rotated(turn), field) for turn in range(40)} == value


def test_a_plan_of_another_run_may_not_be_of_this_space() -> None:
    plan = plans().plan((1, 2, 0, 0, 0, 0, 1))
    assert plans(models=("a/a",)).assignment(plan) is None
    assert plans(names=("grounded",)).assignment(plan) is None
    assert plans("tips").assignment(plan) is None
    assert plans(models=("b/b", "c/c")).assignment(plan) == (1, 2, 0, 0, 0, 0, 0)


def test_strategies_tips_and_models_take_turns() -> None:
    known = plans(names=("one", "two", "three"), models=MODELS)
    made = [known.rotated(turn) for turn in range(36)]
    assert [plan.strategy for plan in made[:4]] == ["one", "two", "three", "one"]
    assert [plan.model for plan in made[:4]] == ["a/a", "b/b", "a/a", "b/b"]
    assert [plan.tip for plan in made[::3]] == [*TIPS, *TIPS]
    assert {(plan.dataset, plan.program, plan.examples) for plan in made} == {(True, True, "mixed")}


@pytest.mark.parametrize(("strategies", "models"), [(2, 2), (2, 4), (3, 2), (4, 2), (3, 3), (1, 3)])
def test_each_strategy_has_each_model_in_time(strategies: int, models: int) -> None:
    names = tuple(f"s{number}" for number in range(strategies))
    known = plans(names=names, models=tuple(f"a/{number}" for number in range(models)))
    made = [known.rotated(turn) for turn in range(strategies * models)]
    assert len({(plan.strategy, plan.model) for plan in made}) == strategies * models
