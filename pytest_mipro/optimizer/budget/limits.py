"""The limits of a run: its deadline, and errors that carry a limit that is too small."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pytest_mipro.errors import BudgetError, LimitReachedError, MiproError, UnboundedCallError
from pytest_mipro.optimizer.study.amount import Amount, Limits, describe_money
from pytest_mipro.runtime.text.number_words import counted

Currency = Literal["calls", "tokens", "nanodollars", "seconds"]
_NANO = 1_000_000_000
_CENTICENT = _NANO // 10_000


@dataclass(frozen=True)
class Limit:
    """A limit of a run: its currency, and its value in that currency."""

    currency: Currency
    value: float

    def __str__(self) -> str:
        if self.currency == "nanodollars":
            return f"the limit of ${self.value / _NANO:,.9f}".rstrip("0").rstrip(".")
        return f"the limit of {self.words(_whole(self.value))}"

    def words(self, value: float) -> str:
        """Return a value in the limit's currency, for people."""
        if self.currency == "nanodollars":
            return describe_money(value)
        return counted(value, self.currency.removesuffix("s"))


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


class LimitTooSmallError(BudgetError):
    """A limit does not hold what the run needs before its search; None: no single limit."""

    def __init__(self, text: str, limit: Limit | None = None) -> None:
        super().__init__(text)
        self.limit = limit


class LimitUsedUpError(LimitReachedError):
    """Time is used up, or what is billed could exceed a limit."""

    def __init__(self, limit: Limit, why: str = "") -> None:
        super().__init__(f"{limit} is used up{why}")
        self.limit = limit


def limit_of(error: MiproError) -> Limit | None:
    """Return the limit that an error is about, None where it names none."""
    return error.limit if isinstance(error, LimitTooSmallError | LimitUsedUpError) else None


class UnboundedOutputError(UnboundedCallError):
    """Tokens or money are limited, and the output of calls to `model` is not."""

    def __init__(self, model: str) -> None:
        super().__init__(
            "a limit of tokens or cost needs a limit of the output, and calls to model "
            f"{model!r} have none"
        )


class UnknownPriceError(UnboundedCallError):
    """Money is limited, and no price of `model` is known."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"a limit of the cost needs the price of each model, and none is known for {model!r}"
        )
        self.model = model


@dataclass(frozen=True)
class Shortage:
    """A limit that does not hold what is `taken` already and `needed` on top, in its currency.

    So much of what is taken is not used yet, but `kept` for the decision.
    """

    limit: Limit
    taken: int
    needed: int
    kept: int = 0

    def describe(self, purpose: str) -> str:
        """Return what the limit leaves, and what the purpose is expected to need."""
        left = self.limit.words(max(0, self.limit.value - self.taken))
        beside = f" beside {self.limit.words(self.kept)} kept for the decision" if self.kept else ""
        needed = self.limit.words(self.needed)
        return f"{self.limit} leaves {left}{beside}, {purpose} needs about {needed}"

    def error(self, purpose: str, remedy: str = "") -> LimitTooSmallError:
        """Return the error that says so; `remedy` is appended."""
        return LimitTooSmallError(f"{self.describe(purpose)}{remedy}", self.limit)

    def enough(self, more: Amount | None = None) -> str:
        """Return the value of the limit that holds what is needed, and `more`: money in dollars."""
        value = self.taken + self.needed + (getattr(more, self.limit.currency, None) or 0)
        if self.limit.currency == "nanodollars":
            return f"{math.ceil(value / _CENTICENT) / 10_000:,.10g}"
        return f"{value:,}"


def shortage(limits: Limits, taken: Amount, amount: Amount) -> Shortage | None:
    """Return the first limit that does not hold the amount beside what is taken; None: all do."""
    currencies: tuple[Currency, ...] = ("calls", "tokens", "nanodollars")
    for currency in currencies:
        most, needed = getattr(limits, currency), getattr(amount, currency)
        before = getattr(taken, currency) or 0
        if most is not None and needed is not None and before + needed > most:
            return Shortage(Limit(currency, most), before, needed)
    return None


class Deadline:
    """Ends `seconds` from now (None: never), less the time kept for later."""

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._start = clock()
        self._kept = 0.0

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def keep(self, seconds: float) -> None:
        """Keep this much of the time for what comes later; 0 frees all of it."""
        self._kept = seconds

    def left(self) -> float | None:
        """Return the seconds left (0 or less: none), None without a limit."""
        if self._seconds is None:
            return None
        return self._seconds - self._kept - self.passed

    def check(self) -> None:
        """Raise LimitUsedUpError where no time is left."""
        left = self.left()
        if left is not None and left <= 0:
            raise self.error()

    def error(self) -> LimitUsedUpError:
        """Return the error of a time that is used up, but for what is kept of it."""
        limit = Limit("seconds", self._seconds or 0.0)
        kept = int(min(self._kept, limit.value - self.passed))
        why = f" but for {limit.words(kept)} kept for the decision" if kept > 0 else ""
        return LimitUsedUpError(limit, why)
