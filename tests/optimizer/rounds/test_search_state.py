"""Which program leads, and when a search may be at its end."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from made_runs import BASE, KEEPS, RULES, assessed, searched
from optimizer_world import baseline_of

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.search.assessments import Assessment


def state_of(known: Iterable[Assessment]) -> SearchState:
    """Return a state that knows these beside the committed prompts: 0.4375 on 16 rows."""
    with baseline_of() as (run, baseline):
        state = searched(run, baseline)
    record = state.record
    for item in known:
        record = record.with_assessment(item)
    return replace(state, record=record)


def test_a_lucky_minibatch_does_not_lead_beside_many_rows_that_are_nearly_as_good() -> None:
    state = state_of([assessed(KEEPS, 0.8, rows=2), assessed(RULES, 0.7, number=1, rows=16)])
    assert state.leader.assignment == state.incumbent == RULES
    fresh = state_of([assessed(KEEPS, 0.8, rows=16), assessed(RULES, 0.7, number=1, rows=16)])
    assert fresh.incumbent == KEEPS


def test_of_equals_the_earliest_leads() -> None:
    twins = [assessed(item, 0.7, number=n, rows=8) for n, item in ((5, KEEPS), (4, RULES))]
    assert state_of(twins).incumbent == state_of(reversed(twins)).incumbent == RULES
    assert state_of([]).incumbent == BASE


def test_what_was_dropped_does_not_lead() -> None:
    state = state_of([assessed(KEEPS, 0.9, rows=16)])
    assert state.incumbent == KEEPS
    dropped = replace(state, record=state.record.with_dropped(KEEPS))
    assert dropped.incumbent == BASE
    assert KEEPS not in dropped.means


@pytest.mark.parametrize(
    ("rows", "estimate", "full", "solves"),
    [
        (8, 1.0, False, False),  # one minibatch
        (9, 1.0, False, True),
        (15, 0.7 + 0.2 + 0.1, False, True),  # but for rounding
        (15, 0.999, False, False),
        (16, 1.0, True, False),  # nothing is left to run
    ],
)
def test_the_leader_solves_all_it_ran_on_the_rows_of_more_than_one_minibatch(
    rows: int, estimate: float, *, full: bool, solves: bool
) -> None:
    state = state_of([assessed(RULES, estimate, rows=rows, full=full)])
    assert state.incumbent == RULES
    assert state.solves_all_it_ran == solves
