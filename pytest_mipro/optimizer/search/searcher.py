"""The searcher contract (ask for an assignment, tell its score), and random search."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Protocol

from pytest_mipro.optimizer.search.space import Assignment, Space


class Searcher(Protocol):
    """Proposes assignments. The same asks and tells in the same order give the same proposals.

    Scores are in 0…1, higher is better. Several assignments may be pending (asked, not yet told).
    """

    def ask(self) -> Assignment | None:
        """Return an assignment never asked nor told before, or None: the space is exhausted."""

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        """Report an estimate of the assignment's mean score and its weight.

        That is the number of rows that it rests on, in rows of pass or fail: a row of graded scores
        counts more where effects are large beside their scatter. Telling an assignment again
        replaces its estimate. One that was never asked may be told.
        """


class Visits:
    """The assignments that were seen: asked or told."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._seen: set[Assignment] = set()

    @property
    def exhausted(self) -> bool:
        """Whether every assignment was seen."""
        return len(self._seen) >= self.space.count

    def __contains__(self, assignment: Assignment) -> bool:
        return assignment in self._seen

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self._seen)

    def mark(self, assignment: Assignment) -> None:
        """Note that the assignment was asked or told."""
        self._seen.add(self.space.check(assignment))

    def unseen_neighbours(self, assignment: Assignment) -> list[Assignment]:
        """Return all unseen assignments that differ from this one in one dimension."""
        return [
            neighbour
            for index, size in enumerate(self.space.sizes)
            for choice in range(size)
            if (neighbour := (*assignment[:index], choice, *assignment[index + 1 :]))
            not in self._seen
            and choice != assignment[index]
        ]

    def random_unseen(self, rng: random.Random) -> Assignment | None:
        """Return an unseen assignment, each with equal chance; None when all were seen."""
        if self.exhausted:
            return None
        # Drawing would take more than two tries on average where half of the space is seen.
        if 2 * len(self._seen) >= self.space.count:
            return rng.choice([item for item in self.space if item not in self._seen])
        while (drawn := tuple(rng.randrange(size) for size in self.space.sizes)) in self._seen:
            pass
        return drawn


def check_estimate(score: float, weight: float) -> None:
    """Raise ValueError unless the score is a finite number in 0…1 and the weight is above 0."""
    if not 0 <= score <= 1 or not 0 < weight < math.inf:
        raise ValueError(f"tell() takes a score in 0…1 and a weight > 0, got {score}, {weight}")


class RandomSearcher:
    """A `Searcher` that ignores the scores. Every seed, 0 included, is a seed."""

    def __init__(self, space: Space, seed: int) -> None:
        self._visits = Visits(space)
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, not secret

    def ask(self) -> Assignment | None:
        """Return a random unseen assignment; None: the space is exhausted."""
        assignment = self._visits.random_unseen(self._rng)
        if assignment is not None:
            self._visits.mark(assignment)
        return assignment

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        """Note that the assignment was seen."""
        check_estimate(score, weight)
        self._visits.mark(assignment)
