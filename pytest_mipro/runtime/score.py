"""The score that a metric-bearing test may return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ROUNDING = 1e-9
"""How far a mean of scores may miss its exact value: 0.95 and a lift of 0.05 need not make 1."""


@dataclass(frozen=True, init=False)
class Score:
    """A score in 0…1, higher is better, with feedback for the proposer and further metrics.

    `Score(value, feedback="", **metrics)`: `metrics` are numbers that reports show; no verdict
    depends on them.
    """

    value: float
    feedback: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __init__(self, value: float, feedback: str = "", **metrics: float) -> None:
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "feedback", feedback)
        object.__setattr__(self, "metrics", metrics)
