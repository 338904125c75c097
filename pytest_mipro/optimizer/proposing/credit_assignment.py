"""Assign credit to modules, and share out a round's proposals by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_mipro.optimizer.search.main_effects import main_effects
from pytest_mipro.optimizer.search.record import Record
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.runs import CaseRun

# The lift expected of any module before a candidate of it has been measured.
_PRIOR_LIFT = 0.05


def module_lifts(record: Record, committed: Assignment) -> list[float]:
    """Return the lift (0 or more) of each module's best candidate, other modules being equal."""
    best = [0.0] * (len(committed) // 2)
    for (dimension, _), effect in main_effects(record.known, committed).items():
        best[dimension // 2] = max(best[dimension // 2], effect)
    return best


def failure_shares(runs: Iterable[CaseRun], paths: Sequence[Path]) -> list[float]:
    """Return the share (0…1) of failing runs that call each module; of all runs if none fails.

    A module that no failing case calls can't fix any.
    """
    scored = [run for run in runs if run.outcome.score is not None]
    scored = [run for run in scored if (run.outcome.score or 0.0) < 1] or scored
    called = [{call.signature.prompt_path for call in run.calls} for run in scored]
    return [sum(path in paths for paths in called) / max(1, len(called)) for path in paths]


def allocate_proposals(count: int, lifts: Sequence[float], failures: Sequence[float]) -> list[int]:
    """Return how many of `count` proposals each module gets, by D'Hondt's method.

    A module's weight is its lift so far plus a prior, times its share of the failing cases. Modules
    with a weight get at least one proposal, the others none.
    """
    weights = [(_PRIOR_LIFT + lift) * share for lift, share in zip(lifts, failures, strict=True)]
    seats = [int(weight > 0) for weight in weights]
    while sum(seats) < count and any(weights):
        quotients = [weight / (have + 1) for weight, have in zip(weights, seats, strict=True)]
        seats[quotients.index(max(quotients))] += 1
    return seats
