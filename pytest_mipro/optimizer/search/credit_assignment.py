"""Credit for scores: the effects of choices, the lifts of modules, their shares of proposals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pytest_mipro.optimizer.search.assessments import Assessment, Record
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec

# A choice measured on n rows keeps about n / (n + this) of its effect: few rows prove little.
_PRIOR_ROWS = 15.0
# Linear algebra may differ in the last bits from run to run; equal effects must stay equal.
_NOISE = 1e-9
_DIGITS = 9
# The lift expected of any module before a candidate of it has been measured.
_PRIOR_LIFT = 0.05


def main_effects(
    assessments: Sequence[Assessment], base: Assignment
) -> dict[tuple[int, int], float]:
    """Return the lift over `base` of each other choice, by dimension and choice.

    The lift of an assignment is modelled as the sum of one effect a choice that differs from the
    base's, weighted by rows and shrunk towards 0. `base` itself must have been measured.
    """
    choices = sorted(
        {
            (dimension, choice)
            for item in assessments
            for dimension, choice in enumerate(item.assignment)
            if choice != base[dimension]
        }
    )
    if not choices:
        return {}
    estimate = next(item.estimate for item in assessments if item.assignment == base)
    design = np.array(
        [[item.assignment[dim] == choice for dim, choice in choices] for item in assessments],
        dtype=float,
    )
    lifts = np.array([item.estimate - estimate for item in assessments])
    weights = np.array([float(item.rows) for item in assessments])
    gram = design.T @ (design * weights[:, None]) + _PRIOR_ROWS * np.eye(len(choices))
    effects = np.linalg.solve(gram, design.T @ (weights * lifts))
    return {
        choice: round(float(effect), _DIGITS)
        for choice, effect in zip(choices, effects, strict=True)
    }


def composed(assessments: Sequence[Assessment], incumbent: Assignment) -> Assignment:
    """Return the assignment of each dimension's best choice by main effects: a module-wise merge.

    A choice replaces the incumbent's where its effect is above 0. So improvements found in
    different modules come together.
    """
    best = list(incumbent)
    gains = [0.0] * len(incumbent)
    for (dimension, choice), effect in main_effects(assessments, incumbent).items():
        if effect > gains[dimension] + _NOISE:
            best[dimension], gains[dimension] = choice, effect
    return tuple(best)


def module_lifts(record: Record, committed: Assignment) -> list[float]:
    """Return the lift (0 or more) of each module's best candidate, other modules being equal."""
    best = [0.0] * (len(committed) // 2)
    for (dimension, _), effect in main_effects(record.known, committed).items():
        best[dimension // 2] = max(best[dimension // 2], effect)
    return best


def failure_shares(
    runs: Iterable[CaseRun], paths: Sequence[Path], tests: Mapping[str, TestSpec]
) -> list[float]:
    """Return the share (0…1) of failing runs that call each module; of all runs if none fails.

    A module that no failing case calls can't fix any.
    """
    scores = [(run, run.outcome.score) for run in runs if run.outcome.score is not None]
    scored = [run for run, _ in scores]
    failing = [run for run, score in scores if not tests[run.case.test].passes(score)]
    called = [{call.signature.prompt_path for call in run.calls} for run in failing or scored]
    return [sum(path in paths for paths in called) / max(1, len(called)) for path in paths]


def allocate_proposals(count: int, lifts: Sequence[float], failures: Sequence[float]) -> list[int]:
    """Return how many of `count` proposals each module gets, by D'Hondt's method.

    A module's weight is its lift so far plus a prior, times its share of the failing cases. Modules
    with a weight get at least one proposal, the others none.
    """
    weights = [(_PRIOR_LIFT + lift) * share for lift, share in zip(lifts, failures, strict=True)]
    seats = [int(weight > 0) for weight in weights]
    while sum(seats) < count and any(weights):
        quotients = [weight / (have + 1) for weight, have in zip(weights, seats, strict=True)]
        seats[quotients.index(max(quotients))] += 1
    return seats
