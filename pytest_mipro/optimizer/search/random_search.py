"""Random search: every assignment with equal chance, none twice. The baseline to beat."""

from __future__ import annotations

import random

from pytest_mipro.optimizer.search.searcher import Assignment, Space, Visits, check_estimate


class RandomSearcher:
    """A `Searcher` that ignores the scores. Every seed, 0 included, is a seed."""

    def __init__(self, space: Space, seed: int) -> None:
        self._visits = Visits(space)
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, not secret

    def ask(self) -> Assignment | None:
        """Return an enqueued, else a random unseen assignment; None: the space is exhausted."""
        assignment = self._visits.next_enqueued()
        if assignment is None:
            assignment = self._visits.random_unseen(self._rng)
        if assignment is not None:
            self._visits.mark(assignment)
        return assignment

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        """Note that the assignment was seen."""
        check_estimate(score, weight)
        self._visits.mark(assignment)

    def enqueue(self, assignment: Assignment) -> None:
        """Have the assignment asked next, unless it was seen before."""
        self._visits.enqueue(assignment)
