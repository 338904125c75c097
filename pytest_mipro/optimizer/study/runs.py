"""Runs of cases, and the evaluation of a program that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.study.case import Case, Outcome
from pytest_mipro.runtime.calls.context import ModuleCall


@dataclass(frozen=True)
class CaseRun:
    """One run of a case with one sample index: how it ended and the module calls it made.

    `ended` is set where the run as a whole has to end: it reached a limit, or needs a setting.
    """

    case: Case
    sample: int
    outcome: Outcome
    calls: tuple[ModuleCall, ...]
    ended: MiproError | None = None


@dataclass(frozen=True)
class Evaluation:
    """The runs of one program on some cases, in case order.

    `calls` counts the distinct LM requests that this evaluation added to the run's; `over_budget`
    is set where it needed more than were reserved: then it holds no scores.
    """

    runs: tuple[CaseRun, ...]
    calls: int = 0
    over_budget: str = ""

    @property
    def skipped(self) -> tuple[str, ...]:
        """Ids of the cases that were skipped by their tests."""
        return tuple(dict.fromkeys(run.case.id for run in self.runs if run.outcome.skipped))

    def scores(self, *, samples: int | None = None) -> dict[str, float]:
        """Return each case's mean score over its (first `samples`) runs; a skip counts 0."""
        sums: dict[str, list[float]] = {}
        for run in self.runs:
            values = sums.setdefault(run.case.id, [])
            if samples is None or len(values) < samples:
                values.append(run.outcome.score or 0.0)
        return {case: sum(values) / len(values) for case, values in sums.items()}


@dataclass(frozen=True)
class CaseCost:
    """The mean cost of a run of a case: tokens, and US dollars (None: a price is unknown)."""

    tokens: float = 0.0
    cost: float | None = None


NO_COST = CaseCost()


def mean_cost(runs: Sequence[CaseRun]) -> CaseCost:
    """Return the mean cost of the runs; cached replies count as when they were paid."""
    calls = [call for run in runs for call in run.calls]
    tokens = sum(call.usage.prompt_tokens + call.usage.completion_tokens for call in calls)
    known = [call.cost for call in calls if call.cost is not None]
    cost = fsum(known) / len(runs) if calls and len(known) == len(calls) else None
    return CaseCost(tokens / max(1, len(runs)), cost)
