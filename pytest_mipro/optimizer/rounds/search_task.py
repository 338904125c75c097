"""What one round of the search is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
    from pytest_mipro.optimizer.proposing.strategy import ProposalStrategy
    from pytest_mipro.optimizer.search.candidates import Candidates
    from pytest_mipro.optimizer.search.record import Baseline
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.optimizer.study.settings import OptimizerSettings
    from pytest_mipro.runtime.prompts.prompt import Prompt

    Affordable = Callable[[Mapping[Path, Prompt]], bool]


@dataclass(frozen=True)
class SearchTask:
    """What a round searches, and on which rows it is judged.

    `round` counts from 0; `trials` bounds the rows of trials, in minibatches: what hopeless trials
    leave over goes to more of them. `full` leaders are measured on all rows; `first` are tried
    before the searcher chooses, programs of the `strategies` last; trials are measured by `rules`.
    `affordable` makes sure that a program can be decided on.
    """

    study: Study
    candidates: Candidates
    rows: tuple[str, ...]
    baseline: Baseline
    settings: OptimizerSettings
    round: int
    trials: int
    full: int
    first: tuple[Assignment, ...]
    rules: MeasuringRules
    strategies: tuple[ProposalStrategy, ...] = ()
    affordable: Affordable = lambda _: True
