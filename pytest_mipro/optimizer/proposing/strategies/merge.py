"""Merge measured programs: the best choice for each module, and crossover of two winners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.optimizer.search.main_effects import composed
from pytest_mipro.optimizer.search.pareto import front

if TYPE_CHECKING:
    import random

    from pytest_mipro.optimizer.proposing.strategy import ProgramContext
    from pytest_mipro.optimizer.search.searcher import Assignment


class MergeStrategy:
    """Merges by main effects over all trials, then by crossover of pairs from the Pareto front.

    The crossover is GEPA's system-aware merge (arXiv 2507.19457): of two programs that win on
    different cases, it takes each module whole from one of them.
    """

    name = "merge"

    def programs(self, context: ProgramContext, rng: random.Random) -> list[Assignment]:
        """Return the merge of main effects, then a child of each pair of the front."""
        merged = [composed(context.assessments, context.incumbent)]
        parents = front(context.assessments)
        pairs = [(one, two) for index, one in enumerate(parents) for two in parents[index + 1 :]]
        return merged + [_child(one, two, rng) for one, two in pairs]


def _child(one: Assignment, two: Assignment, rng: random.Random) -> Assignment:
    """Return a program with at least one differing module from each parent."""
    differing = [i for i in range(0, len(one), 2) if one[i : i + 2] != two[i : i + 2]]
    if len(differing) < 2:
        return one
    taken = set(rng.sample(differing, rng.randint(1, len(differing) - 1)))
    return tuple((two if place - place % 2 in taken else one)[place] for place in range(len(one)))
