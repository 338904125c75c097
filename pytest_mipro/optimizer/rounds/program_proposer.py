"""Propose a program by combining those already measured."""

from __future__ import annotations

import random
from collections.abc import Container

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.proposing.strategy import ProgramContext, ProgramStrategy
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.search.searcher import Assignment


def propose_program(state: SearchState, seen: Container[Assignment]) -> Assignment | None:
    """Return the first combined program that is not `seen`, asking the strategies in turn.

    None if they have nothing new. Raises ConfigurationError for an assignment outside the space.
    """
    known, space = state.record.known, state.candidates.space
    best = max(known, key=lambda item: (item.leading, -item.number))
    context = ProgramContext(known, best.assignment)
    for strategy in state.run.strategies():
        if not isinstance(strategy, ProgramStrategy):
            continue
        key = f"{state.run.settings.seed}/{state.round}/{state.record.asked}"
        rng = random.Random(f"{key}/{strategy.name}")  # noqa: S311 - a draw, no secret
        for assignment in strategy.programs(context, rng):
            if assignment not in space:
                raise ConfigurationError(
                    f"the strategy {strategy.name!r} made the program {assignment!r}; it must be "
                    f"a tuple with one index for each dimension, below {space.sizes}"
                )
            if assignment not in seen:
                return assignment
    return None
