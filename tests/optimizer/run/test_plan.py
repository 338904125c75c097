"""The plan: its stages, and the calls that it expects of them."""

from typing import Any

import pytest
from measured_baseline import measure
from optimizer_world import make_rows, make_study, play, without

from pytest_mipro.optimizer.proposing.strategies import BriefStrategy, GroundedStrategy
from pytest_mipro.optimizer.proposing.strategy import InstructionStrategy
from pytest_mipro.optimizer.run.events import Plan
from pytest_mipro.optimizer.study.amount import Limits
from pytest_mipro.optimizer.study.case import Study


def test_the_plan_is_exact_on_what_is_known() -> None:
    specs = {"test_colour": {"concurrent": False}}
    made = measure(make_study(specs=specs), max_calls=5000, trials=9)
    plan = made.event(Plan)
    assert plan.split == made.baseline.split
    assert plan.trials == 9
    assert plan.minibatch == 8
    assert plan.limits == Limits(5000)
    stages = {stage.stage: stage for stage in plan.forecast.stages}
    assert stages["baseline"].expected.calls == 84
    assert stages["baseline"].case_runs == 42
    assert stages["decision"].expected.calls == 2 * 14  # 14 rows of 2 calls
    assert stages["proposals"].case_runs == 0
    assert plan.one_at_a_time == ("test_colour",)
    assert 0 < plan.detectable < 1
    assert measure(make_study(make_rows(5, 6, 0))).event(Plan).minibatch == 6
    fewer = measure(make_study(make_rows(12, 16, 10))).event(Plan)
    assert fewer.detectable > plan.detectable


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_expects_no_fewer_calls_than_are_made(seed: int) -> None:
    played = play(seed=seed)
    (plan,) = played.seen(Plan)
    assert played.result.calls <= plan.forecast.expected.calls <= 3 * played.result.calls


def sizes(study: Study | None = None, **settings: Any) -> dict[str, Any]:
    """Return the plan's stages by name; by default of 12 training and 16 validation rows."""
    plan = measure(study or make_study(), **settings).event(Plan)
    return {stage.stage: stage for stage in plan.forecast.stages}


def test_the_plan_counts_what_is_switched_on_alone() -> None:
    plain = sizes()
    assert plain["bootstrap"].case_runs == 12  # a parent's: enough rows pass for all demos
    few = make_study(make_rows(12, 1))  # then the failing ones again, in both rounds
    assert 12 < sizes(few, max_demos=8)["bootstrap"].case_runs < 12 + 2 * 12
    assert sizes(few, max_demos=8, attempts=5)["bootstrap"].case_runs == 12 + 2 * 5
    alone = sizes(few, max_demos=8, parts=without("attempts"))["bootstrap"]
    assert alone.case_runs == 12
    assert alone.expected.calls == 24
    assert plain["proposals"].expected.calls == 2 + 2 * 2 * 2
    assert sizes(parts=without("instructions"))["proposals"].expected.calls == 0
    whole = measure(make_study(), parts=without("minibatches")).event(Plan)
    assert whole.minibatch == 16
    runs = {stage.stage: stage.case_runs for stage in whole.forecast.stages}
    again = 1  # in the second round the leader runs on the new rows, too
    most = 6 * 2  # each trial may change one of the two modules alone
    assert plain["search"].case_runs == (most + again) * 8 + 2 * 16
    assert runs["search"] == most * 16  # each trial is a full evaluation, and none follows


def test_trials_that_are_full_evaluations_are_expected_with_all_repeats() -> None:
    study = make_study(specs={"test_colour": {"repeats": 3}})
    (plan,) = (played := play(study, minibatch_size=16)).seen(Plan)
    expected = {stage.stage: stage.expected.calls for stage in plan.forecast.stages}
    took = sum(item.amount.calls for item in played.result.spending if item.stage == "search")
    assert 0 < took <= expected["search"]
    assert plan.forecast.leader.calls == 0


def test_usual_requests_for_instructions_are_expected_without_the_brief_one() -> None:
    def tokens(*strategies: InstructionStrategy) -> int:
        (plan,) = play(services={"strategies": strategies}).seen(Plan)
        stages = {stage.stage: stage for stage in plan.forecast.stages}
        return stages["proposals"].expected.tokens

    assert tokens(GroundedStrategy()) == tokens(GroundedStrategy(), BriefStrategy())
    assert tokens(BriefStrategy()) < tokens(GroundedStrategy())
