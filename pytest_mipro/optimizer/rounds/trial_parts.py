"""What a trial may take: beside others its worst case, alone what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.budget.limits import shortage
from pytest_mipro.optimizer.measuring.evaluate import Pending
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.events import TrialKind
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import cases_of

_PURPOSES = {"minibatch": "the next trial with its leader", "full": "the next full evaluation"}


@dataclass(frozen=True)
class Trial:
    """A trial on `rows`; `pending` is None, and its number -1, while it waits for its turn.

    Its `share` (0…1) is that of the calls that may be new; 0 of a leader's trial.
    """

    number: int
    kind: TrialKind
    assignment: Assignment
    rows: tuple[str, ...]
    pending: Pending | None = None
    share: float = 0.0

    @property
    def new_rows(self) -> float:
        """How many rows of a program whose calls are all new it may cost."""
        return self.share * len(self.rows)


def part_of(state: SearchState, trial: Trial, *, first: bool) -> Part | None:
    """Return the trial's part; None where it does not fit beside the others.

    If it is the `first`, it is enough that what it is expected to take fits alone.
    """
    before = state.run.ledger.held
    if not state.run.hold(_held(state, trial)):
        return None
    part = state.run.ledger.part(
        f"trial {trial.number}",
        state.baseline.worst(trial.rows, state.candidates.program(trial.assignment)),
        _expected(state, trial) if first else None,
        stage="search",
        keep=_keep(state, trial),
    )
    if part is None:  # what never ran needs no decision
        state.run.hold(before)
    return part


def fits_alone(state: SearchState, trial: Trial) -> bool:
    """Return whether what a trial is expected to take would fit with nothing in flight."""
    ledger = state.run.ledger
    needed = _expected(state, trial) + _keep(state, trial)
    return shortage(ledger.limits, ledger.used + _held(state, trial), needed) is None


def hold_for_measured(state: SearchState) -> None:
    """Hold back what the decision on a program needs that was measured on all rows, no more."""
    needs = NOTHING
    for item in state.record.full:
        program = state.candidates.program(item.assignment)
        needs = needs.at_least(state.baseline.decision_needs(program).known)
    state.run.hold(needs)


def why_not(state: SearchState, passed_over: Sequence[Trial]) -> str:
    """Return why the cheapest of the trials that were passed over does not fit."""
    trial = min(passed_over, key=partial(_needed, state))
    ledger, describe = state.run.ledger, state.run.services.describe_error
    needed = _expected(state, trial) + _keep(state, trial)
    held = _held(state, trial)
    short = shortage(ledger.limits, ledger.spent + held, needed)
    if short is None:
        return "too little is left"
    short = replace(short, kept=getattr(held, short.limit.currency) or 0)
    return describe(short.error(_PURPOSES[trial.kind]))


def _needed(state: SearchState, trial: Trial) -> tuple[int, ...]:
    amount = _expected(state, trial) + _keep(state, trial) + _held(state, trial)
    return tuple(value or 0 for value in reversed(amount.values))


def _expected(state: SearchState, trial: Trial) -> Amount:
    program = state.candidates.program(trial.assignment)
    if trial.kind == "full":
        return state.baseline.leader_expects(program, _known_rows(state, trial))
    return state.baseline.trial_expects(trial.rows, program)


def _keep(state: SearchState, trial: Trial) -> Amount:
    """Return what a trial must leave: for a minibatch, the full evaluation of its leader."""
    if trial.kind == "full":
        return NOTHING
    program = state.candidates.program(trial.assignment)
    return state.baseline.leader_expects(program, {*trial.rows, *_known_rows(state, trial)})


def _known_rows(state: SearchState, trial: Trial) -> set[str]:
    """Return the rows on which the trial's program was measured before."""
    known = state.record.assessments.get(trial.assignment)
    cases = cases_of(state.baseline.study, state.baseline.split.validation) if known else ()
    return {case.row for case in cases if known and case.id in known.scores}


def _held(state: SearchState, trial: Trial) -> Amount:
    """Return what must be held back so that this program, too, can be decided on."""
    program = state.candidates.program(trial.assignment)
    return state.run.ledger.held.at_least(state.baseline.decision_needs(program).known)
