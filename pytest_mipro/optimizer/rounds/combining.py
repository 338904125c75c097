"""Programs out of programs: what the strategies make of those that were measured."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.proposing.strategy import ProgramContext

if TYPE_CHECKING:
    from collections.abc import Container

    from pytest_mipro.optimizer.rounds.search_task import SearchTask
    from pytest_mipro.optimizer.search.record import Record
    from pytest_mipro.optimizer.search.searcher import Assignment, Space


def combined(task: SearchTask, record: Record, seen: Container[Assignment]) -> Assignment | None:
    """Return the first program out of programs that is not `seen`, by the strategies in turn.

    None: they have nothing new. Raises ConfigurationError where one makes what is no program.
    """
    known, space = record.known, task.candidates.space
    best = max(known, key=lambda item: (item.leading, -item.number))
    context = ProgramContext(known, best.assignment)
    for strategy in task.strategies:
        key = f"{task.settings.seed}/{task.round}/{record.asked}"
        rng = random.Random(f"{key}/{strategy.name}")  # noqa: S311 - a draw, no secret
        for assignment in strategy.programs(context, rng):
            _check(assignment, strategy.name, space)
            if assignment not in seen:
                return assignment
    return None


def _check(assignment: Assignment, name: str, space: Space) -> None:
    if assignment not in space:
        raise ConfigurationError(
            f"the strategy {name!r} made the program {assignment!r}; a tuple of one index a "
            f"dimension is wanted, below {space.sizes}"
        )
