"""Which limit does not hold what comes next, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_mipro.optimizer.budget.budget import Budget
    from pytest_mipro.optimizer.study.amount import Amount

_CURRENCIES = {"calls": "calls", "tokens": "tokens", "nanodollars": "cost"}
_NANO = 1_000_000_000
_CENTICENT = _NANO // 10_000


@dataclass(frozen=True)
class Shortage:
    """A limit that does not hold what is needed; `limit`, `taken` and `needed` in its currency."""

    currency: str
    limit: int
    taken: int
    needed: int

    def told(self, purpose: str) -> str:
        """Return the limit, what it leaves, and what the purpose may need."""
        left = self._amount(max(0, self.limit - self.taken))
        left += "" if self.currency == "nanodollars" else f" {self.currency}"
        option = f"--mipro-max-{_CURRENCIES[self.currency]}={self._typed(self.limit)}"
        return f"{option} leaves {left}, {purpose} may need {self._amount(self.needed)}"

    def enough(self, more: Amount | None = None) -> str:
        """Return the value of the option that holds what is needed, and `more`."""
        further = getattr(more, self.currency) if more is not None else 0
        return self._typed(self.taken + self.needed + (further or 0))

    @property
    def hint(self) -> str:
        """What else helps; begins with a comma, "" where nothing does."""
        return "" if self.currency == "calls" else ", or lower mipro_max_output_tokens"

    def _amount(self, value: int) -> str:
        return f"${value / _NANO:,.4f}" if self.currency == "nanodollars" else f"{value:,}"

    def _typed(self, value: int) -> str:
        if self.currency != "nanodollars":
            return str(value)
        return f"{math.ceil(value / _CENTICENT) / 10_000:g}"


def shortage(budget: Budget, amount: Amount) -> Shortage | None:
    """Return the first limit that does not hold the amount beside what is taken; None: all do."""
    taken = budget.taken
    for currency in _CURRENCIES:
        limit, needed = getattr(budget.limits, currency), getattr(amount, currency)
        if limit is None or needed is None:
            continue
        before = getattr(taken, currency) or 0
        if before + needed > limit:
            return Shortage(currency, limit, before, needed)
    return None


def ended_early(budget: Budget, amount: Amount, purpose: str) -> str:
    """Return why the search ends: a limit does not hold the amount, or no decision about it."""
    short = shortage(budget, amount)
    why = short.told(purpose) if short else "too little is left to decide on a longer prompt"
    return f"the search ended early: {why}"
