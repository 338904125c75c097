"""What the search believes of each assignment: a Gaussian process with additive effects."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from pytest_mipro.optimizer.search.space import Assignment, Space

# Standard deviations of scores (0…1) before anything is measured: of the level of all scores; of
# what one choice adds to the one it was made from; of what all such steps of a dimension have in
# common; and of what a combination adds to its choices.
_LEVEL, _STEP, _COMMON, _TOGETHER = 0.2, 0.08, 0.05, 0.04
# Of what each doubling of the demos adds: a part of the step to a set of more or fewer, which is
# about as uncertain as one to another instruction (with more for demos, a pipeline's search tried
# them in the place of instructions). At least this share of a step's variance is its own.
_DOUBLING, _LEAST_OWN = 0.035, 0.25
_DOUBLINGS = 16  # more than any set has
# How many sizes of all effects are weighed, and by how many estimates: more of them cost time.
_AMPLITUDES, _MOST_WEIGHED = 7, 100
# Linear algebra may differ in the last bits from machine to machine; equal beliefs must stay equal.
_DIGITS = 9
_NORMAL = NormalDist()
ROW_NOISE = 0.45
"""The standard deviation of one row of pass or fail (0 or 1), beside another program's score."""


@dataclass(frozen=True)
class Belief:
    """The `mean` of an assignment's true score, and its standard deviation `spread` (0 or more)."""

    mean: float
    spread: float

    def improvement(self, best: float) -> float:
        """Return by how much the score is expected to exceed `best`, counting losses as 0.

        Source: Jones et al. 1998, "Efficient Global Optimization" (expected improvement).
        """
        if self.spread < 10**-_DIGITS:
            return max(0.0, self.mean - best)
        distance = (self.mean - best) / self.spread
        gain = distance * _NORMAL.cdf(distance) + _NORMAL.pdf(distance)
        return round(self.spread * gain, _DIGITS)


class Surrogate:
    """The beliefs about all assignments of a space, from estimates of some.

    A score is the sum of the effects of its choices, and a little of its own: what a choice brought
    beside one partner counts beside others. A choice has the effect of the one that it was made to
    improve on, and a step of its own; the steps of a dimension have a part in common, so that more
    is expected of new demos where new demos have helped. Sets of about as many demos are believed
    alike: each doubling adds something, which all larger sets have. An estimate counts by its rows:
    a lucky minibatch ranks below a full evaluation that is nearly as high.

    `estimates` maps assignments to their score (0…1) and weight, in rows that scatter by
    `ROW_NOISE`. Of those `pending` it is only known that they will be measured. Source: Rasmussen &
    Williams 2006, "Gaussian Processes for Machine Learning", ch. 2.
    """

    def __init__(
        self,
        space: Space,
        estimates: Mapping[Assignment, tuple[float, float]],
        pending: Collection[Assignment] = (),
    ) -> None:
        share = math.sqrt(2 / max(1, len(space.sizes)))
        self._effects = [share * _effects(space, place) for place in range(len(space.sizes))]
        scores = np.array([score for score, _ in estimates.values()])
        weights = np.array([weight for _, weight in estimates.values()])
        awaited = [item for item in pending if item not in estimates]
        self._known = len(scores)
        self._told = [*estimates, *awaited]
        self._prior = float(scores @ weights / weights.sum()) if self._known else 0.0
        typical = float(np.median(weights)) if self._known else 1.0
        noise = ROW_NOISE**2 / np.concatenate([weights, np.full(len(awaited), typical)])
        self._evidence = self.covariance(self._told, self._told) + np.diag(noise)
        known = self._evidence[: self._known, : self._known]
        self._weights = np.linalg.solve(known, scores - self._prior)

    def means(self, assignments: Sequence[Assignment]) -> list[float]:
        """Return the mean of the belief about each of the assignments."""
        shared = self.covariance(assignments, self._told[: self._known])
        return [round(float(mean), _DIGITS) for mean in self._prior + shared @ self._weights]

    def beliefs(self, assignments: Sequence[Assignment]) -> list[Belief]:
        """Return the belief about each of the assignments."""
        shared = self.covariance(assignments, self._told)
        explained = np.einsum("ij,ji->i", shared, np.linalg.solve(self._evidence, shared.T))
        own = np.einsum("ij,ij->i", *[self._features(assignments)] * 2) + _TOGETHER**2
        return [
            Belief(mean, round(math.sqrt(max(0.0, float(left))), _DIGITS))
            for mean, left in zip(self.means(assignments), own - explained, strict=True)
        ]

    def covariance(self, one: Sequence[Assignment], other: Sequence[Assignment]) -> Any:
        """Return the prior covariance of each of `one` with each of `other`."""
        places = {assignment: place for place, assignment in enumerate(other)}
        covariance = self._features(one) @ self._features(other).T
        for row, assignment in enumerate(one):
            if assignment in places:
                covariance[row, places[assignment]] += _TOGETHER**2
        return covariance

    def _features(self, assignments: Sequence[Assignment]) -> Any:
        """Return each assignment as a sum of independent effects, by their standard deviations."""
        if not assignments:
            return np.zeros((0, 1 + sum(part.shape[1] for part in self._effects)))
        chosen = np.array(assignments, dtype=int)
        parts = [part[chosen[:, place]] for place, part in enumerate(self._effects)]
        return np.hstack([np.full((len(chosen), 1), _LEVEL), *parts])


def trusted_weight(
    space: Space, estimates: Mapping[Assignment, tuple[float, float]], row_weight: float
) -> float:
    """Return how much of its `row_weight` a row should have, from 1 to that; `estimates` by rows.

    Where rows scatter less than pass or fail does, effects may be smaller as well: a metric from
    0.4 to 0.6 has both. Only so far as they are large beside that scatter, estimates tell more. So
    the size of effects is the one by which the estimates are likeliest; as means are linear in
    scores, effects of half the size are rows of a quarter of the weight. Source: Rasmussen &
    Williams 2006, 5.4.
    """
    if row_weight <= 1 or not estimates:
        return 1.0
    some = dict(list(estimates.items())[:_MOST_WEIGHED])
    scores, rows = np.array(list(some.values())).T
    lifts, noise = scores - scores @ rows / rows.sum(), np.diag(ROW_NOISE**2 / rows)
    alike = Surrogate(space, {}).covariance(list(some), list(some))

    def likelihood(weight: float) -> float:
        covariance = (weight * alike + noise) / row_weight
        misfit = float(lifts @ np.linalg.solve(covariance, lifts))
        return round(-misfit - float(np.linalg.slogdet(covariance)[1]), _DIGITS)

    weights = [math.pow(row_weight, step / (_AMPLITUDES - 1)) for step in range(_AMPLITUDES)]
    return max(weights, key=likelihood)


def _effects(space: Space, place: int) -> Any:
    """Return for each choice of a dimension (a row) the effects of which it is the sum.

    They are the steps from choice 0 to it, how many these are, and the doublings of demos. Each
    dimension has its share of what a program with all choices new may be better or worse.
    """
    size = space.sizes[place]
    parents = space.origins[place] if space.origins else (0,) * size
    numbers = np.array(space.demos[place] if space.demos else (0,) * size, dtype=float)
    doublings = np.log2(1 + numbers)
    shared = np.abs(doublings - doublings[list(parents)]) * _DOUBLING**2 / (_STEP**2 + _COMMON**2)
    own = np.sqrt(np.maximum(_LEAST_OWN, 1 - shared))
    return np.hstack([_steps(parents, own), _DOUBLING * _reached(doublings)])


def _steps(parents: Sequence[int], own: Any) -> Any:
    """Return for each choice the steps from choice 0 to it, and how many they are.

    A step has the share `own` (0…1) of the standard deviation that one has beside equal numbers.
    """
    steps = np.zeros((len(parents), len(parents) + 1))
    for choice, parent in enumerate(parents):
        if choice:
            steps[choice] = steps[parent]
            steps[choice, choice] = own[choice] * _STEP
            steps[choice, -1] += own[choice] * _COMMON
    return steps


def _reached(doublings: Any) -> Any:
    """Return for each choice its doublings one by one, less those of choice 0.

    Each is 0 to 1: the last one may be a part.
    """
    reached = np.clip(doublings[:, None] - np.arange(_DOUBLINGS)[None, :], 0, 1)
    return reached - reached[:1]
