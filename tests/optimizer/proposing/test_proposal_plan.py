"""Plans: the space of ways to ask, and the turns that are taken while nothing is learnt."""

from dataclasses import fields
from typing import Any

import pytest
from optimizer_world import without

from pytest_mipro.optimizer.proposing.proposal_plan import TIPS, PlanSpace, ProposalPlan
from pytest_mipro.optimizer.study.settings import OptimizerSettings

NAMES, MODELS = ("grounded", "history"), ("a/a", "b/b")


def plans(*off: str, names: tuple[str, ...] = NAMES, models: tuple[str, ...] = MODELS) -> PlanSpace:
    return PlanSpace(names, models, OptimizerSettings(parts=without(*off)))


def test_there_is_a_choice_for_each_field_of_a_plan() -> None:
    assert list(plans().choices) == [field.name for field in fields(ProposalPlan)]
    assert {name: len(values) for name, values in plans().choices.items()} == {
        "strategy": 2,
        "tip": len(TIPS),
        "dataset": 2,
        "program": 2,
        "examples": 3,
        "temperature": 2,
        "model": 2,
    }
    assert plans().rotated(0) == ProposalPlan("grounded", "none", True, True, "mixed", 1.0, "a/a")


@pytest.mark.parametrize(
    ("off", "value"), [("tips", {"none"}), ("dataset", {False}), ("program", {False})]
)
def test_a_part_that_is_switched_off_is_no_choice(off: str, value: set[Any]) -> None:
    known = plans(off)
    field = off if off in known.choices else off.removesuffix("s")
    assert set(known.choices[field]) == value < set(plans().choices[field])
    assert {getattr(known.rotated(turn), field) for turn in range(40)} == value


def test_strategies_tips_and_models_take_turns() -> None:
    known = plans(names=("one", "two", "three"), models=MODELS)
    made = [known.rotated(turn) for turn in range(36)]
    assert [plan.strategy for plan in made[:4]] == ["one", "two", "three", "one"]
    assert [plan.model for plan in made[:4]] == ["a/a", "b/b", "a/a", "b/b"]
    assert [plan.tip for plan in made[::3]] == [*TIPS, *TIPS]
    assert {(plan.dataset, plan.program) for plan in made} == {(True, True)}


def test_where_all_pairs_of_strategy_and_tip_were_asked_examples_and_temperature_differ() -> None:
    known, pairs = plans(), len(NAMES) * len(TIPS)
    made = [known.rotated(turn) for turn in range(3 * pairs)]
    assert {(plan.examples, plan.temperature) for plan in made[:pairs]} == {("mixed", 1.0)}
    again = {(plan.examples, plan.temperature) for plan in made[pairs : 2 * pairs]}
    assert again == {("failing", 0.7)}
    assert {plan.examples for plan in made[2 * pairs :]} == {"passing"}


@pytest.mark.parametrize(("strategies", "models"), [(2, 2), (2, 4), (3, 2), (4, 2), (3, 3), (1, 3)])
def test_each_strategy_has_each_model_in_time(strategies: int, models: int) -> None:
    names = tuple(f"s{number}" for number in range(strategies))
    known = plans(names=names, models=tuple(f"a/{number}" for number in range(models)))
    made = [known.rotated(turn) for turn in range(strategies * models)]
    assert len({(plan.strategy, plan.model) for plan in made}) == strategies * models
