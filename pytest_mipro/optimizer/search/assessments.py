"""The record of a search: the score of each assignment, its rows, and the Pareto front."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import NO_COST, CaseCost

# A cheaper program may lose this much of the score (0…1), by estimate.
MAX_LOSS = 0.01


@dataclass(frozen=True)
class Assessment:
    """The estimate of an `assignment` on validation rows, and what it rests on.

    `estimate` (0…1) is the baseline's objective on all validation rows plus the paired lift on the
    `rows` (a count) measured, so that easy and hard minibatches are comparable. `leading` is the
    same with the lift shrunk by the number of rows. `number` is that of its first trial. `scores`
    are those of the measured cases by id, `cost` is their mean cost; `full` says that these are the
    cases of all validation rows.
    """

    assignment: Assignment
    estimate: float
    leading: float
    rows: int
    number: int
    scores: Mapping[str, float]
    cost: CaseCost = NO_COST
    full: bool = False


@dataclass(frozen=True)
class Record:
    """The assessments of all rounds. `dropped`: those over their budget; `asked` counts trials."""

    assessments: Mapping[Assignment, Assessment]
    dropped: frozenset[Assignment] = frozenset()
    asked: int = 0

    @property
    def best(self) -> Assessment:
        """The incumbent: the best of those measured on all rows; of equal ones the earliest."""
        return max(self.full, key=lambda item: (item.estimate, -item.number))

    @property
    def tried(self) -> list[Assignment]:
        """All assignments, also those that were dropped."""
        return [*self.assessments, *(self.dropped - self.assessments.keys())]

    @property
    def full(self) -> list[Assessment]:
        """The assessments that rest on all validation rows."""
        return [item for item in self.assessments.values() if item.full]

    @property
    def known(self) -> list[Assessment]:
        """The assessments that are not dropped, in the order of the trials."""
        left = [i for i in self.assessments.values() if i.assignment not in self.dropped]
        return sorted(left, key=lambda item: item.number)

    def widened(self, dimensions: int) -> Record:
        """Return the record in a space of more dimensions, of which every program had choice 0."""
        zeros = (0,) * dimensions
        known = [
            replace(item, assignment=item.assignment + zeros) for item in self.assessments.values()
        ]
        return Record(
            {item.assignment: item for item in known},
            frozenset(assignment + zeros for assignment in self.dropped),
            self.asked,
        )

    def with_assessment(self, assessment: Assessment) -> Record:
        """Return the record with an assessment; it replaces an earlier one of the assignment."""
        assessments = {**self.assessments, assessment.assignment: assessment}
        return replace(self, assessments=assessments)

    def with_dropped(self, assignment: Assignment) -> Record:
        """Return the record with an assignment dropped."""
        return replace(self, dropped=self.dropped | {assignment})

    def __contains__(self, assignment: Assignment) -> bool:
        return assignment in self.assessments or assignment in self.dropped


def cheapest(programs: Sequence[Assessment]) -> Assessment:
    """Return the program of the least cost a case, or of the fewest tokens if a cost is unknown.

    Of equally cheap programs, the one with the highest estimate, then the earliest.
    """
    priced = all(item.cost.cost is not None for item in programs)

    def rank(item: Assessment) -> tuple[float, float, int]:
        price = (item.cost.cost or 0.0) if priced else item.cost.tokens
        return price, -item.estimate, item.number

    return min(programs, key=rank)


def front(assessments: Sequence[Assessment]) -> list[Assignment]:
    """Return the programs on the Pareto front, in the order of their trials.

    A program is on the front if it has the best score on some case, and no other one has it on all
    those cases and more. Programs are comparable on common cases alone: only those measured on all
    cases of the latest minibatch are compared. Source: Agrawal et al. 2025, GEPA (arXiv
    2507.19457), "Pareto-based candidate selection".
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
