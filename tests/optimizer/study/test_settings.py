"""Settings: how trials and candidates are shared out among rounds, and what an effort buys."""

import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.study.settings import (
    Effort,
    OptimizerSettings,
    carried_effort,
    effort_sizes,
    least_units,
)


@given(st.integers(0, 200), st.integers(1, 9))
def test_rounds_share_all_trials_in_equal_parts(trials: int, rounds: int) -> None:
    settings = OptimizerSettings(trials=trials, rounds=rounds)
    shares = [settings.trials_of(number) for number in range(rounds)]
    assert sum(shares) == trials
    assert shares == sorted(shares, reverse=True)
    assert max(shares) - min(shares) <= 1


def test_more_effort_buys_more_of_everything() -> None:
    sizes = [effort_sizes(effort) for effort in get_args(Effort)]
    assert get_args(Effort) == ("light", "medium", "heavy")
    for less, more in itertools.pairwise(sizes):
        assert all(more[name] >= less[name] for name in less)
        assert more["trials"] > less["trials"]
        assert more["rounds"] * more["candidates"] > less["rounds"] * less["candidates"]
    OptimizerSettings(**sizes[0])


@pytest.mark.parametrize(
    ("units", "carried"),
    [
        (40, ["light", "light", "light"]),
        (100, ["light", "medium", "medium"]),
        (120, ["light", "medium", "heavy"]),
    ],
)
def test_few_rows_carry_no_large_effort(units: int, carried: list[Effort]) -> None:
    assert [carried_effort(effort, units) for effort in get_args(Effort)] == carried


def test_an_effort_is_carried_from_its_least_units_on() -> None:
    for effort in ("medium", "heavy"):
        assert carried_effort(effort, least_units(effort)) == effort
        assert carried_effort(effort, least_units(effort) - 1) != effort


def test_the_defaults_are_the_light_effort() -> None:
    settings = OptimizerSettings()
    for name, value in effort_sizes("light").items():
        assert getattr(settings, name) == value


@pytest.mark.parametrize("effort", get_args(Effort))
def test_each_round_of_an_effort_tries_something(effort: Effort) -> None:
    settings = OptimizerSettings(**effort_sizes(effort))
    assert all(settings.trials_of(number) for number in range(settings.rounds))


def test_without_feedback_rounds_all_is_proposed_and_searched_in_one() -> None:
    settings = OptimizerSettings(rounds=3, trials=10, candidates=4, leaders=2)
    assert settings.in_rounds() == settings
    parts = settings.parts - {"rounds"}
    at_once = OptimizerSettings(**(sizes_of(settings) | {"parts": parts})).in_rounds()
    assert sizes_of(at_once) == {"rounds": 1, "trials": 10, "candidates": 12, "leaders": 2}
    assert at_once.in_rounds() == at_once


@pytest.mark.parametrize(("more", "trials"), [(True, [9, 9, 13, 13]), (False, [9] * 4)])
def test_a_pipeline_gets_more_trials(more: bool, trials: list[int]) -> None:
    settings = OptimizerSettings(trials=9, more_for_pipelines=more)
    assert [settings.for_modules(modules).trials for modules in (0, 1, 2, 5)] == trials


def sizes_of(settings: OptimizerSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in effort_sizes("light")}


def test_a_trial_is_scored_on_a_minibatch_or_on_all_rows() -> None:
    settings = OptimizerSettings(minibatch_size=20)
    assert [settings.batch_of(rows) for rows in (0, 7, 20, 21)] == [0, 7, 20, 20]
    whole = OptimizerSettings(minibatch_size=20, parts=settings.parts - {"minibatches"})
    assert [whole.batch_of(rows) for rows in (0, 7, 20, 21)] == [0, 7, 20, 21]


@pytest.mark.parametrize(
    ("off", "teacher", "made"),
    [
        ((), None, 3 * 5),
        (("attempts",), None, 0),
        (("attempts",), "a/teacher", 3 * 5),
        (("demos",), "a/teacher", 0),
    ],
)
def test_attempts_are_made_for_demos_by_the_modules_or_a_teacher(
    off: tuple[str, ...], teacher: str | None, made: int
) -> None:
    parts = OptimizerSettings().parts - set(off)
    settings = OptimizerSettings(rounds=3, attempts=5, parts=parts, teacher_model=teacher)
    assert settings.attempts_at(100) == made
    assert settings.attempts_at(2) == min(made, 6)


def test_a_part_that_does_not_exist_is_no_part() -> None:
    with pytest.raises(ValueError, match="'grounding' is not a part of the optimiser"):
        OptimizerSettings().has("grounding")
