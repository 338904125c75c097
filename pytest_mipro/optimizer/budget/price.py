"""What a program costs: tokens and, where prices are known, money a case."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.study.runs import CaseRun


@dataclass(frozen=True)
class Price:
    """What a case costs on average: tokens, and US dollars, None where a price is not known."""

    tokens: float = 0.0
    cost: float | None = None


NO_PRICE = Price()


def price_of(runs: Sequence[CaseRun]) -> Price:
    """Return the mean price of a run of a case; cached replies count as when they were paid."""
    calls = [call for run in runs for call in run.calls]
    tokens = sum(call.usage.prompt_tokens + call.usage.completion_tokens for call in calls)
    known = [call.cost for call in calls if call.cost is not None]
    cost = fsum(known) / len(runs) if calls and len(known) == len(calls) else None
    return Price(tokens / max(1, len(runs)), cost)
