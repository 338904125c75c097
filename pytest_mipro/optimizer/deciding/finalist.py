"""Choose the finalist: the cheapest of the programs that the data can't tell from the best."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.events import FinalistChosen
from pytest_mipro.optimizer.search.record import Assessment, Record
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.case import Case, cases_of
from pytest_mipro.runtime.prompts.prompt import Prompt

# A cheaper program may lose this much of the score (0…1), by estimate.
MAX_LOSS = 0.01
_ROUNDING = 1e-9


def choose_finalist(state: SearchState) -> dict[Path, Prompt]:
    """Return the finalist's prompts by path, and report how it was chosen."""
    run, best = state.run, state.record.best
    cases = cases_of(state.baseline.study, state.baseline.split.validation)
    equals = equally_good(state.record, state.candidates.committed, cases)
    chosen = cheapest(equals) if equals else best
    run.services.emit(
        FinalistChosen(run.study.name, len(equals), chosen.cost, best.cost, chosen is best)
    )
    return state.candidates.program(chosen.assignment)


def equally_good(
    record: Record, committed: Assignment, cases: Sequence[Case], max_loss: float = MAX_LOSS
) -> list[Assessment]:
    """Return the programs with an estimated loss of at most `max_loss` (0…1) against the best.

    Only programs count that were measured on all `cases`, are estimated better than the committed
    one, and for which the lower bound of the best one's lift over them is not above 0. The loss
    needs a bound, because few cases can tell little apart: without one, 30 cases give away two
    thirds of the true lift.
    """
    best = record.best
    baseline = record.assessments[committed].estimate
    return [
        item
        for item in record.full
        if item.estimate > baseline
        and best.estimate - item.estimate <= max_loss + _ROUNDING
        and paired_lift(best.scores, item.scores, cases).lower_one_sided <= 0
    ]


def cheapest(programs: Sequence[Assessment]) -> Assessment:
    """Return the program of the least cost a case, or of the fewest tokens if a cost is unknown.

    Of equally cheap programs, the one with the highest estimate, then the earliest.
    """
    priced = all(item.cost.cost is not None for item in programs)

    def rank(item: Assessment) -> tuple[float, float, int]:
        price = (item.cost.cost or 0.0) if priced else item.cost.tokens
        return price, -item.estimate, item.number

    return min(programs, key=rank)
