"""Settings: how trials and candidates are shared out among rounds, and what an effort buys."""

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.settings import Effort, OptimizerSettings, effort_sizes


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
        assert more["candidates"] > less["candidates"]
    OptimizerSettings(**sizes[0])


def test_the_defaults_are_the_light_effort() -> None:
    settings = OptimizerSettings()
    for name, value in effort_sizes("light").items():
        assert getattr(settings, name) == value


@pytest.mark.parametrize("effort", get_args(Effort))
def test_each_round_of_an_effort_tries_something(effort: Effort) -> None:
    settings = OptimizerSettings(**effort_sizes(effort))
    assert all(settings.trials_of(number) for number in range(settings.rounds))
