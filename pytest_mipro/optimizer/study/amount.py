"""Amounts of what a run spends: calls, tokens and money, and limits on them.

Money is counted in whole nanodollars, rounded up: sums are then exact in whatever order they are
made, and the same replies always end a search at the same trial.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NANO = 1_000_000_000


def nanodollars(dollars: float) -> int:
    """Return US dollars as whole nanodollars, rounded up but for what floats are wrong by."""
    return math.ceil(round(dollars * _NANO, 3))


@dataclass(frozen=True)
class Amount:
    """Calls, tokens and nanodollars; None where a currency is not known, or not counted."""

    calls: int = 0
    tokens: int | None = 0
    nanodollars: int | None = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.calls + other.calls,
            _sum(self.tokens, other.tokens),
            _sum(self.nanodollars, other.nanodollars),
        )

    def __sub__(self, other: Amount) -> Amount:
        return self + other.times(-1)

    def times(self, factor: float) -> Amount:
        """Return this amount so many times, each currency rounded up."""
        return Amount(
            math.ceil(self.calls * factor),
            None if self.tokens is None else math.ceil(self.tokens * factor),
            None if self.nanodollars is None else math.ceil(self.nanodollars * factor),
        )

    @property
    def dollars(self) -> float | None:
        """The money in US dollars."""
        return None if self.nanodollars is None else self.nanodollars / _NANO

    @property
    def negative(self) -> bool:
        """Whether any currency is below 0."""
        return any(value is not None and value < 0 for value in astuple(self))

    def within(self, other: Amount | Limits) -> bool:
        """Return whether no currency is above the other's, where both are known."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(mine is None or most is None or mine <= most for mine, most in pairs)

    def at_most(self, other: Amount) -> Amount:
        """Return the lesser of both in each currency, where both are known."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        least = [mine if mine is None or most is None else min(mine, most) for mine, most in pairs]
        return Amount(least[0] or 0, least[1], least[2])

    def at_least(self, other: Amount) -> Amount:
        """Return the greater of both in each currency, None where either is not known."""
        more = self - other
        return other + Amount(
            max(0, more.calls),
            None if more.tokens is None else max(0, more.tokens),
            None if more.nanodollars is None else max(0, more.nanodollars),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


NOTHING = Amount()
ONE_CALL = Amount(1)


def format_amount(amount: Amount, joint: str = ", ") -> str:
    """Return the amount in words: its calls, and tokens and dollars as far as they are known."""
    words = [f"{amount.calls:,} call{'' if amount.calls == 1 else 's'}"]
    if amount.tokens is not None:
        words.append(f"{amount.tokens:,} tokens")
    if amount.dollars is not None:
        words.append(f"${amount.dollars:,.4f}")
    return joint.join(words)


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum of amounts."""
    return sum(amounts, Amount())


@dataclass(frozen=True)
class Limits:
    """What may be spent at most, by currency; None: no limit. Names are those of `Amount`."""

    calls: int | None = None
    tokens: int | None = None
    nanodollars: int | None = None

    def __post_init__(self) -> None:
        for name, value in zip(("calls", "tokens", "nanodollars"), astuple(self), strict=True):
            if value is not None and value < 0:
                raise ValueError(f"a limit is 0 or more, got {name}={value}")

    @property
    def by_worst_case(self) -> bool:
        """Whether tokens or money are limited: what a call takes must then be known before it."""
        return self.tokens is not None or self.nanodollars is not None

    def counted(self, amount: Amount) -> Amount:
        """Return the amount without the currencies that have no limit; calls always count."""
        return Amount(
            amount.calls,
            None if self.tokens is None else amount.tokens,
            None if self.nanodollars is None else amount.nanodollars,
        )
