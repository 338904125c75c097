"""The finalist: of the programs that the data can't tell apart, the cheapest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.statistics.intervals import paired_lift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.search.record import Assessment, Record
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.study.case import Case

# A cheaper program may lose this much of the score (0…1), by estimate.
MAX_LOSS = 0.01
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Finalist:
    """The program that is decided on; `best` has the highest estimate, `equals` are as good."""

    chosen: Assessment
    best: Assessment
    equals: int


def finalist(
    record: Record, committed: Assignment, cases: Sequence[Case], max_loss: float = MAX_LOSS
) -> Finalist:
    """Return the cheapest program whose estimated loss against the best is at most `max_loss`.

    Only programs measured on all `cases` count that are estimated better than the committed one,
    and only where the lower bound of the best one's lift over them is not above 0. Without a bound
    on the loss, 30 cases let two thirds of the true lift go: what data can't tell apart is much.
    """
    best = record.best
    baseline = record.assessments[committed].estimate
    equals = [
        item
        for item in record.full
        if item.estimate > baseline
        and best.estimate - item.estimate <= max_loss + _ROUNDING
        and paired_lift(best.scores, item.scores, cases).lower_one_sided <= 0
    ]
    if not equals:
        return Finalist(best, best, 0)
    chosen = min(equals, key=_in_money if _all_priced(equals) else _in_tokens)
    return Finalist(chosen, best, len(equals))


def _all_priced(items: Sequence[Assessment]) -> bool:
    return all(item.cost.cost is not None for item in items)


def _in_money(item: Assessment) -> tuple[float, float, int]:
    return item.cost.cost or 0.0, -item.estimate, item.number


def _in_tokens(item: Assessment) -> tuple[float, float, int]:
    return item.cost.tokens, -item.estimate, item.number
