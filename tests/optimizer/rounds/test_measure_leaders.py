"""Leaders are measured on all validation rows in the end, as long as one could win."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from made_runs import BASE, BOTH, KEEPS, RULES, assessed, knowing, searched
from optimizer_world import baseline_of

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.rounds.trials import measure_leaders
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.optimizer.search.assessments import Assessment
from pytest_mipro.optimizer.search.candidates import Candidates
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.study.case import CaseCost


@contextmanager
def state_of(*known: Assessment, **settings: Any) -> Iterator[SearchState]:
    """Yield a state that knows these assessments beside that of the committed prompts."""
    with baseline_of(**settings) as (run, baseline):
        yield knowing(searched(run, baseline), known)


def measured(*known: Assessment, **settings: Any) -> list[Assignment]:
    """Return what is measured on all validation rows, in this order."""
    events: list[Any] = []
    with state_of(*known, services={"emit": events.append}, **settings) as state:
        measure_leaders(state)
    trials = [event for event in events if isinstance(event, TrialFinished)]
    assert all((trial.kind, trial.rows) == ("full", 16) for trial in trials)
    return [trial.assignment for trial in trials]


@pytest.mark.parametrize(
    ("estimate", "rows", "wins"), [(0.5, 2, False), (0.6, 8, True), (0.4, 8, False)]
)
def test_only_what_is_believed_better_by_more_than_a_point_is_measured(
    estimate: float, rows: int, *, wins: bool
) -> None:
    item = assessed(RULES, estimate, rows=rows)
    with state_of(item) as state:
        gain = state.means[RULES] - state.means[BASE]
    assert (gain > 0.01) == wins
    assert abs(gain) < 0.03  # near the point that decides
    assert measured(item) == ([RULES] if wins else [])


@pytest.mark.parametrize("leaders", [0, 1, 2, 3])
def test_no_more_leaders_are_measured_than_set(leaders: int) -> None:
    """KEEPS solves fewer rows than its minibatch said: RULES could win then."""
    known = [assessed(KEEPS, 0.95, number=0, rows=8), assessed(RULES, 0.9, number=1, rows=8)]
    assert measured(*known, leaders=leaders) == [KEEPS, RULES][:leaders]


def test_what_cannot_win_any_more_is_not_measured_although_leaders_are_left() -> None:
    """RULES solves more rows than its minibatch said, and leaves KEEPS without a chance."""
    known = [assessed(RULES, 0.7, number=0, rows=8), assessed(KEEPS, 0.6, number=1, rows=8)]
    with state_of(*known) as state:
        assert state.means[KEEPS] - state.means[BASE] > 0.01
    assert measured(*known, leaders=3) == [RULES]


@pytest.mark.parametrize(("other", "first"), [(0.71, KEEPS), (0.95, RULES)])
def test_of_equals_the_cheaper_is_measured_first(other: float, first: Assignment) -> None:
    cheap = assessed(KEEPS, 0.7, number=1, rows=8, price=CaseCost(50.0, None))
    dear = assessed(RULES, other, number=0, rows=8, price=CaseCost(200.0, None))
    with state_of(cheap, dear) as state:
        assert state.means[RULES] > state.means[KEEPS]
    assert measured(cheap, dear, leaders=1) == [first]


def with_partner(estimate: float) -> list[Assessment]:
    """BOTH leads; its other instruction has this score alone, on more rows."""
    return [assessed(BOTH, 0.9, rows=8), assessed(KEEPS, estimate, number=1, rows=16)]


@pytest.mark.parametrize(("estimate", "first"), [(0.0, RULES), (0.3, BOTH)])
def test_an_instruction_that_brings_nothing_is_left_out(estimate: float, first: Assignment) -> None:
    with state_of(*with_partner(estimate)) as state:
        both, rules = state.means_of([BOTH, RULES])
    assert (both - rules <= 0.01) == (first == RULES)
    assert measured(*with_partner(estimate), leaders=1) == [first]


def test_what_was_measured_or_dropped_is_not_measured_again() -> None:
    with state_of(*with_partner(0.0), leaders=1) as state:
        after = measure_leaders(replace(state, record=state.record.with_dropped(RULES)))
    assert [item.assignment for item in after.record.full] == [BASE, BOTH]


def test_a_leader_that_is_behind_at_first_is_measured_on_all_rows_none_the_less() -> None:
    """A lucky one: the program solves nothing."""
    with state_of(assessed(RULES, 0.95, rows=8), leaders=1) as state:
        note, sort = state.candidates.modules
        sort = replace(sort, instructions=(sort.instructions[0], "Choose the colour and spoil it."))
        after = measure_leaders(replace(state, candidates=Candidates((note, sort))))
    known = after.record.assessments[RULES]
    assert (known.full, known.rows, known.estimate) == (True, 16, 0.0)
    assert after.record.best.assignment == BASE


def test_the_first_leader_may_take_the_time_of_the_decision_and_the_next_may_not() -> None:
    """Without one there is nothing to decide on."""
    known = [assessed(KEEPS, 0.95, number=0, rows=8), assessed(RULES, 0.9, number=1, rows=8)]
    with state_of(*known, leaders=2, max_seconds=1_000.0) as state:
        slow = replace(state.baseline, seconds=10_000.0)
        after = measure_leaders(replace(state, baseline=slow))
    assert [item.assignment for item in after.record.full] == [BASE, KEEPS]
    assert "the limit of 1,000 seconds is used up" in after.ended


def test_a_search_leaves_time_for_its_leader_and_the_decision() -> None:
    with state_of(max_seconds=1_000.0) as state:
        hold_for_decision(state.run, replace(state.baseline, seconds=84.0))
        left = state.run.accounting.deadline.left()
    # As long again as the baseline took, and half as long: 14 rows decide, 16 are a leader's, and
    # 12 are left for the final pass.
    assert left == pytest.approx(1_000 - 1.5 * 84, abs=30)
