"""Choose what is measured on all validation rows: programs that could win, without what is idle."""

from __future__ import annotations

from collections.abc import Collection

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.search.assessments import MAX_LOSS, cheapest
from pytest_mipro.optimizer.search.space import Assignment


def next_leader(state: SearchState, besides: Collection[Assignment] = ()) -> Assignment | None:
    """Return the assignment believed best, or a cheaper equal, if all rows may show it so.

    None `besides`, which do not fit what is left.
    """
    means = state.means
    least = means[state.record.best.assignment] + MAX_LOSS
    left = [item for item in state.record.known if item.assignment not in besides]
    promising = [item for item in left if not item.full and means[item.assignment] > least]
    if not promising:
        return None
    best = max(means[item.assignment] for item in promising)
    equals = [item for item in promising if means[item.assignment] >= best - MAX_LOSS]
    leader = _without_idle(state, cheapest(equals).assignment, least)
    return cheapest(equals).assignment if leader in besides else leader


def _without_idle(state: SearchState, leader: Assignment, least: float) -> Assignment:
    """Return the leader without the new instructions that are believed to bring nothing.

    Trials give each a partner or two, and a lucky demo set carries an instruction along. What is
    left is believed to be above `least`, and at most a point below the leader.
    """
    measured = {*state.record.dropped, *(item.assignment for item in state.record.full)}
    least = max(least, state.means_of([leader])[0] - MAX_LOSS)
    for dimension in range(0, len(leader), 2):
        plain = (*leader[:dimension], 0, *leader[dimension + 1 :])
        if plain not in measured and state.means_of([plain])[0] >= least:
            leader = plain
    return leader
