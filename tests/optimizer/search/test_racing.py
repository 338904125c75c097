"""Heats: the first rows of a trial, and when it ends with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.search.racing import behind, first_heat
from pytest_mipro.optimizer.study.case import Case, Outcome


@given(st.integers(0, 120), st.integers(0, 120))
def test_a_heat_begins_the_batch_and_with_the_rest_it_is_the_trial(batch: int, more: int) -> None:
    rows = [f"r{n}" for n in range(batch)]
    whole = [*rows, *(f"v{n}" for n in range(more))]
    heat, rest = first_heat(rows, whole)
    assert sorted((*heat, *rest)) == sorted(whole)
    if rest:
        assert heat == tuple(rows[: len(heat)])
        assert len(heat) >= 8
        assert len(rest) >= len(heat)  # a stop between saves as much at least as it cost
    else:
        assert heat == tuple(whole)


def test_all_trials_of_a_round_share_their_first_heat() -> None:
    batch = [f"r{n:02}" for n in range(25)]
    whole = sorted([*batch, *(f"q{n:02}" for n in range(75))])
    assert first_heat(batch, batch)[0] == first_heat(batch, whole)[0] == tuple(batch[:10])


@pytest.mark.parametrize(("rows", "heat"), [(15, 15), (16, 8), (20, 8), (25, 10), (50, 20)])
def test_few_rows_run_in_one_heat(rows: int, heat: int) -> None:
    batch = [f"r{n}" for n in range(rows)]
    assert len(first_heat(batch, batch)[0]) == heat


def lost(better: int, worse: int, same: int, loss: float = 1.0) -> bool:
    """Return whether a trial is behind: better, worse and the same on so many rows."""
    values = [(1.0, 0.0)] * better + [(1.0 - loss, 1.0)] * worse + [(1.0, 1.0)] * same
    cases = [Case(f"t[{n}]", str(n), "t", lambda: Outcome(1.0)) for n in range(len(values))]
    mine = {case.id: pair[0] for case, pair in zip(cases, values, strict=True)}
    rival = {case.id: pair[1] for case, pair in zip(cases, values, strict=True)}
    return behind(mine, rival | {"another case": 1.0}, cases)


def test_a_mean_below_the_rivals_is_behind_and_an_equal_one_is_not() -> None:
    assert lost(0, 10, 0)
    assert lost(0, 1, 9)
    assert lost(3, 4, 3)
    assert lost(5, 6, 0, loss=0.9)
    assert not lost(5, 5, 0, loss=0.9)
    assert not lost(0, 0, 10)
    assert not lost(3, 3, 4)
    assert not lost(10, 0, 0)


@given(st.integers(0, 8), st.integers(0, 8))
def test_one_win_more_never_puts_a_trial_behind(better: int, worse: int) -> None:
    if not lost(better, worse, 8):
        assert not lost(better + 1, worse, 7)
