"""The parts of the optimiser that can be switched on or off one by one."""

from __future__ import annotations

from types import MappingProxyType

PARTS = MappingProxyType(
    {
        "instructions": "proposed instructions; without them demos alone are searched",
        "demos": "bootstrapped demos; without them instructions alone are searched",
        "dataset": "the dataset summary in proposals",
        "program": "the program summary in proposals",
        "tips": "the tips that steer the style of proposals",
        "grounded": "the strategy that shows everything known of the task",
        "history": "the strategy that continues the series of earlier instructions",
        "reflective": "the strategy that learns from failing traces",
        "merge": "programs merged out of programs",
        "parents": "new candidates from other programs than the incumbent, too",
        "credit": "more proposals for the modules where they matter",
        "attempts": "more attempts at failing cases, at temperature 1, where demos are few",
        "learning": "learning how to propose",
        "minibatches": "trials on minibatches; without them on all validation rows",
        "racing": "hopeless trials end early",
        "plateau": "the end after rounds without a better program",
        "rounds": "feedback rounds; without them everything is proposed at once",
    }
)
"""What each part is for, by name."""

OPTIONAL = frozenset({"history", "learning", "parents"})
"""Parts that are off by default: they did not pay on average (see `benchmarks/`)."""
DEFAULT = frozenset(PARTS) - OPTIONAL
"""Parts that are on by default."""
