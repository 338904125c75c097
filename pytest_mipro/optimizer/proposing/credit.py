"""For which modules new instructions are worth their price: credit, and the share of proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.search.main_effects import main_effects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.search.record import Record
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.study.runs import CaseRun

# What a module is believed to lift before anything is known of it.
_PRIOR_LIFT = 0.05


def credits_of(record: Record, committed: Assignment) -> list[float]:
    """Return, module by module, the lift of its best candidate beside equal partners; 0 or more."""
    best = [0.0] * (len(committed) // 2)
    for (dimension, _), effect in main_effects(record.known, committed).items():
        best[dimension // 2] = max(best[dimension // 2], effect)
    return best


def reach(runs: Iterable[CaseRun], paths: Sequence[Path]) -> list[float]:
    """Return the share of the failing runs (0…1) that call each module; of all, where none fails.

    A module that no failing case calls can't mend any.
    """
    judged = [run for run in runs if run.outcome.score is not None]
    judged = [run for run in judged if (run.outcome.score or 0.0) < 1] or judged
    called = [{call.signature.prompt_path for call in run.calls} for run in judged]
    return [sum(path in paths for paths in called) / max(1, len(called)) for path in paths]


def shares(count: int, lifts: Sequence[float], reached: Sequence[float]) -> list[int]:
    """Return how many of `count` proposals each module gets.

    In proportion to what it may lift (its credit so far and a prior) times how many failing cases
    reach it; one at least where any does, none where none does.
    """
    weights = [(_PRIOR_LIFT + lift) * part for lift, part in zip(lifts, reached, strict=True)]
    given = [int(weight > 0) for weight in weights]
    while sum(given) < count and any(weights):
        # D'Hondt's method: the next one to whom the most weight a proposal falls.
        quotients = [weight / (have + 1) for weight, have in zip(weights, given, strict=True)]
        given[quotients.index(max(quotients))] += 1
    return given
