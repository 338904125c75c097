"""What a trial may take: beside others its worst case, alone what is left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.budget.limits import shortage
from pytest_mipro.optimizer.measuring.evaluate import Pending
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.run.events import TrialKind
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import CaseRun, Evaluation

_PURPOSES = {"minibatch": "the next trial with its leader", "full": "the next full evaluation"}


@dataclass(frozen=True)
class Trial:
    """A trial: on `rows` now, and on `rest` unless it is behind the leader by then.

    `pending` is None while it waits for its turn. `later` is the part for `rest`, None where it is
    opened when that begins. `ended` is the first heat's evaluation if the trial ends with it;
    `runs` and `calls` are the first heat's once the trial goes on.
    """

    number: int
    kind: TrialKind
    assignment: Assignment
    rows: tuple[str, ...]
    rest: tuple[str, ...] = ()
    pending: Pending | None = None
    later: Part | None = None
    ended: Evaluation | None = None
    runs: tuple[CaseRun, ...] = ()
    calls: int = 0


def parts_of(state: SearchState, trial: Trial, *, first: bool) -> tuple[Part, Part | None] | None:
    """Return the parts for the heats of a trial, the second one None where it comes later.

    None where the trial does not fit beside the others and, if it is the `first`, alone.
    """
    baseline, program = state.baseline, state.candidates.program(trial.assignment)
    if not state.run.hold(_held(state, trial)):
        return None
    worst = partial(baseline.worst, program=program)
    part = partial(
        state.run.ledger.part, f"trial {trial.number}", stage="search", keep=_keep(state, trial)
    )
    now = part(worst(trial.rows))
    later = part(worst(trial.rest)) if now and trial.rest else None
    if now and (later or not trial.rest):
        return now, later
    if now:
        now.close(NOTHING)
    alone = part(worst(trial.rows), _expected(state, trial)) if first else None
    return (alone, None) if alone else None


def part_of_rest(state: SearchState, trial: Trial) -> Part | None:
    """Return the part for the second heat of a trial that runs alone; None if it does not fit."""
    baseline, program = state.baseline, state.candidates.program(trial.assignment)
    return state.run.ledger.part(
        f"trial {trial.number}",
        baseline.worst(trial.rest, program),
        baseline.expects(trial.rest, program),
        stage="search",
        keep=_keep(state, trial),
    )


def why_not(state: SearchState, trial: Trial) -> str:
    """Return why a trial does not fit."""
    ledger, describe = state.run.ledger, state.run.services.describe_error
    needed = _expected(state, trial) + _keep(state, trial)
    short = shortage(ledger.limits, ledger.spent + _held(state, trial), needed)
    if short is None:
        return "too little is left"
    return describe(short.error(_PURPOSES[trial.kind]))


def _expected(state: SearchState, trial: Trial) -> Amount:
    program = state.candidates.program(trial.assignment)
    return state.baseline.expects((*trial.rows, *trial.rest), program)


def _keep(state: SearchState, trial: Trial) -> Amount:
    """Return what a trial must leave: for a minibatch, the full evaluation of its leader."""
    if trial.kind == "full":
        return NOTHING
    rows, program = state.baseline.split.validation, state.candidates.program(trial.assignment)
    return state.baseline.expects(rows, program)


def _held(state: SearchState, trial: Trial) -> Amount:
    """Return what must be held back so that this program, too, can be decided on."""
    program = state.candidates.program(trial.assignment)
    return state.run.ledger.held.at_least(state.baseline.decision_needs(program).known)
