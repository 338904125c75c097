"""The Pareto front: programs that are the best on some case, the parents of new candidates.

Source: Agrawal et al. 2025, GEPA (arXiv 2507.19457), "Pareto-based candidate selection".
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pytest_mipro.optimizer.search.record import Assessment
from pytest_mipro.optimizer.search.searcher import Assignment


def front(assessments: Sequence[Assessment]) -> list[Assignment]:
    """Return the programs on the front, in the order of their trials.

    A program is on the front if it has the best score on some case, and no other one has it on all
    those cases and more. Programs are comparable on common cases alone: only those measured on all
    cases of the latest minibatch are compared.
    """
    return list(_wins(assessments))


def drawn_parents(
    assessments: Sequence[Assessment], first: Assignment, count: int, rng: random.Random
) -> list[Assignment]:
    """Return `first` and up to `count` - 1 others of the front.

    The chance of each is proportional to the number of cases that it is best on.
    """
    wins = {item: len(cases) for item, cases in _wins(assessments).items() if item != first}
    parents = [first]
    while wins and len(parents) < count:
        (drawn,) = rng.choices(list(wins), weights=list(wins.values()))
        parents.append(drawn)
        del wins[drawn]
    return parents


def _wins(assessments: Sequence[Assessment]) -> dict[Assignment, frozenset[str]]:
    """Return the cases that each program of the front is best on."""
    compared, cases = _comparable(assessments)
    best = {case: max(item.scores[case] for item in compared) for case in cases}
    wins = {
        item.assignment: frozenset(case for case in cases if item.scores[case] == best[case])
        for item in compared
    }
    return {
        program: won
        for program, won in wins.items()
        if won and not any(won < other for other in wins.values())
    }


def _comparable(assessments: Sequence[Assessment]) -> tuple[list[Assessment], frozenset[str]]:
    """Return the programs measured on all cases of the latest minibatch, and these cases."""
    if not assessments:
        return [], frozenset()
    latest = max(assessments, key=lambda item: (not item.full, len(item.scores), item.number))
    cases = frozenset(latest.scores)
    return [item for item in assessments if cases <= item.scores.keys()], cases
