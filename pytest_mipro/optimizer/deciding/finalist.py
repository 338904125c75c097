"""Choose the finalist: the best program on validation rows, or a cheaper equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.events import FinalistChosen
from pytest_mipro.optimizer.search.assessments import MAX_LOSS, Assessment, Record, cheapest
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.case import Case, cases_of
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.score import ROUNDING


@dataclass(frozen=True)
class Finalist:
    """The best of `tried` assignments: its `program`.

    `kept` holds its scores of the validation cases that trials don't run, on which it was the best
    of at most so many `leaders`. `unseen` are the training rows that decide beside the holdout.
    """

    program: Mapping[Path, Prompt]
    tried: int
    kept: Mapping[str, float] = field(default_factory=dict)
    leaders: int = 1
    unseen: tuple[str, ...] = ()


def choose_finalist(state: SearchState) -> Finalist:
    """Return the finalist, and report how it was chosen."""
    run, best = state.run, state.record.best
    cases = cases_of(state.baseline.study, state.baseline.split.validation)
    equals = equally_good(state.record, state.candidates.committed, cases)
    chosen = cheapest(equals) if equals else best
    run.services.emit(
        FinalistChosen(
            run.study.name,
            len(equals),
            chosen.cost,
            best.cost,
            chosen is best,
            chosen.assignment,
        )
    )
    program = state.candidates.program(chosen.assignment)
    trials = set(state.trial_rows)
    kept = {case.id: chosen.scores[case.id] for case in cases if case.row not in trials}
    # Whether another leader is measured depends on how well the first did on these rows: those that
    # were not measured have their part of the error, too.
    leaders = max(len(state.record.full) - 1, min(run.settings.leaders, state.tried))
    return Finalist(program, state.tried, kept, leaders, unseen_rows(state, chosen.assignment))


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
        and best.estimate - item.estimate <= max_loss + ROUNDING
        and paired_lift(best.scores, item.scores, cases).lower_one_sided <= 0
    ]


def unseen_rows(state: SearchState, assignment: Assignment) -> tuple[str, ...]:
    """Return the training rows, sorted, that neither made a program nor chose it.

    No candidate is chosen by its scores on training rows, and no row is shown its own demo. But
    instructions are written from these rows, and demos repeat what a program says that has such an
    instruction: there are none for programs with either. Nor are there rows that are one with
    others, whose demos they may be shown, and none at all where rows were divided by tags: the
    tagged ones are those that shall decide.
    """
    split, cases = state.baseline.split, state.baseline.study.cases
    tagged = any(case.split for case in cases)
    if tagged or split.shared or not split.confirmed or state.made_for_training(assignment):
        return ()
    sizes = Counter(split.units.values())
    return tuple(row for row in split.train if sizes[split.units.get(row, row)] <= 1)
