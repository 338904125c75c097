"""Choose what is measured on all validation rows: programs that could win, without what is idle."""

from __future__ import annotations

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.search.assessments import MAX_LOSS, cheapest
from pytest_mipro.optimizer.search.searcher import Assignment


def next_leader(state: SearchState) -> Assignment | None:
    """Return the assignment believed best, or a cheaper equal, if all rows may show it so."""
    means = state.means
    least = means[state.record.best.assignment] + MAX_LOSS
    promising = [i for i in state.record.known if not i.full and means[i.assignment] > least]
    if not promising:
        return None
    best = max(means[item.assignment] for item in promising)
    equals = [item for item in promising if means[item.assignment] >= best - MAX_LOSS]
    return _without_idle(state, cheapest(equals).assignment)


def _without_idle(state: SearchState, leader: Assignment) -> Assignment:
    """Return the leader without the new instructions that are believed to bring nothing.

    Trials give each a partner or two, and a lucky demo set carries an instruction along.
    """
    measured = {*state.record.dropped, *(item.assignment for item in state.record.full)}
    for dimension in range(0, len(leader), 2):
        plain = (*leader[:dimension], 0, *leader[dimension + 1 :])
        before, after = state.means_of([leader, plain])
        if plain not in measured and before - after <= MAX_LOSS:
            leader = plain
    return leader
