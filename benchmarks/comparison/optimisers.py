"""The optimisers that are compared, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["own", "peer"]


@dataclass(frozen=True)
class Optimiser:
    """One way to optimise: its name on the command line, in the table, and whose it is."""

    name: str
    title: str
    kind: Kind


OPTIMISERS = (
    Optimiser("mipro-brief", "pytest-mipro light, 6 trials", "own"),
    Optimiser("mipro-light", "pytest-mipro light", "own"),
    Optimiser("mipro-medium", "pytest-mipro medium", "own"),
    Optimiser("mipro-random", "pytest-mipro light, random search", "own"),
    Optimiser("mipro-demos", "pytest-mipro light, demos only", "own"),
    Optimiser("mipro-instructions", "pytest-mipro light, instructions only", "own"),
    Optimiser("dspy-mipro-light", "DSPy MIPROv2 light", "peer"),
    Optimiser("dspy-mipro-medium", "DSPy MIPROv2 medium", "peer"),
    Optimiser("dspy-bootstrap", "DSPy BootstrapFewShotWithRandomSearch", "peer"),
    Optimiser("dspy-bootstrap-10", "DSPy random search, 10 sets", "peer"),
    Optimiser("dspy-gepa-light", "DSPy GEPA light", "peer"),
    Optimiser("dspy-gepa-medium", "DSPy GEPA medium", "peer"),
)
BY_NAME = {optimiser.name: optimiser for optimiser in OPTIMISERS}
