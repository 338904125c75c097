"""The record of a search: the score of each assignment, and the rows that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.runs import NO_COST, CaseCost


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
    """The assessments of all rounds.

    `dropped` assignments used more calls than were reserved for them; `asked` counts the trials.
    """

    assessments: Mapping[Assignment, Assessment]
    dropped: frozenset[Assignment] = frozenset()
    asked: int = 0

    @property
    def best(self) -> Assessment:
        """The incumbent: the best of those measured on all rows; of equal ones the earliest."""
        return max(self.full, key=lambda item: (item.estimate, -item.number))

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
