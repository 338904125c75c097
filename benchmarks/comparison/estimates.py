"""Means over worlds and seeds, with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.distributions import t_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Estimate:
    """A mean and its two-sided 95 % interval, `half` to either side; None if unknown."""

    mean: float
    half: float | None

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half


def across(values: Mapping[str, Sequence[float]]) -> Estimate:
    """Return the unweighted mean of the worlds' means over their seeds.

    The interval is Student's t over seeds within worlds, with the degrees of freedom of
    Satterthwaite 1946; it speaks of other seeds of these worlds, not of other worlds. A world with
    one seed leaves it unknown.
    """
    mean = fmean(fmean(group) for group in values.values())
    if any(len(group) < 2 for group in values.values()):
        return Estimate(mean, None)
    errors = [(variance(group) / len(group), len(group) - 1) for group in values.values()]
    total = sum(error for error, _ in errors)
    if total <= 0:
        return Estimate(mean, 0.0)
    degrees = total**2 / sum(error**2 / free for error, free in errors)
    return Estimate(mean, t_quantile(0.975, degrees) * math.sqrt(total) / len(errors))
