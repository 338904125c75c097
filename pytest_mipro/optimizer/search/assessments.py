"""The record of a search: the score of each assignment, and its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.search.surrogate import ROW_NOISE
from pytest_mipro.optimizer.study.case import NO_COST, CaseCost

# A cheaper program may lose this much of the score (0…1), by estimate.
MAX_LOSS = 0.01
# With how many measured rows their own scatter counts as much as that of pass or fail.
_PRIOR_ROWS = 24


@dataclass(frozen=True)
class Assessment:
    """The estimate of an `assignment` on validation rows, and what it rests on.

    `estimate` (0…1) is the baseline's objective on all validation rows plus the paired lift on the
    `rows` (a count) measured, so that easy and hard minibatches are comparable. `lift_sd` is the
    standard deviation of one row's lift, None where there is none. `number` is that of its first
    trial. `scores` are those of the measured cases by id, `cost` is their mean
    cost; `full` says that these are the cases of all validation rows.
    """

    assignment: Assignment
    estimate: float
    rows: int
    number: int
    scores: Mapping[str, float]
    cost: CaseCost = NO_COST
    full: bool = False
    lift_sd: float | None = None


@dataclass(frozen=True)
class Record:
    """The assessments of all rounds. `dropped`: those over their budget; `asked` counts trials."""

    assessments: Mapping[Assignment, Assessment]
    dropped: frozenset[Assignment] = frozenset()
    asked: int = 0

    @property
    def best(self) -> Assessment:
        """The best of those measured on all validation rows; of equal ones the earliest."""
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

    @property
    def lift_sd(self) -> float:
        """The standard deviation of one row's lift, pooled over the programs measured so far.

        Before anything is measured it is that of pass or fail.
        """
        measured = [(i.rows - 1, i.lift_sd) for i in self.known if i.lift_sd is not None]
        parts = [(_PRIOR_ROWS, math.sqrt(2) * ROW_NOISE), *measured]
        return math.sqrt(sum(n * sd**2 for n, sd in parts) / sum(n for n, _ in parts))

    @property
    def row_weight(self) -> float:
        """How much a row tells by its scatter alone: 1 as pass or fail, more where that is less.

        Weights go by the inverse of the variance. See `trusted_weight` for what is made of it.
        """
        return 2 * ROW_NOISE**2 / self.lift_sd**2

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
