"""Credit for scores: the effects of choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_mipro.optimizer.search.assessments import Assessment
from pytest_mipro.optimizer.search.space import Assignment

# A choice measured on n rows keeps about n / (n + this) of its effect: few rows prove little.
_PRIOR_ROWS = 15.0
# Linear algebra may differ in the last bits from run to run; equal effects must stay equal.
_DIGITS = 9


def unshrunk(effect: float, rows: int) -> float:
    """Return about what was seen on so many rows (1 or more) of an effect of `main_effects`.

    For what weighs lifts by their rows itself.
    """
    return effect * (rows + _PRIOR_ROWS) / rows


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
