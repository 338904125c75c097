"""Amounts of what a run spends (calls, tokens and money), and limits on them.

Money is counted in whole nanodollars, rounded up: sums are then exact in any order, and the same
replies always end a search at the same trial.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from typing import Any

from pytest_mipro.runtime.text.number_words import counted

_NANO = 1_000_000_000


def nanodollars(dollars: float) -> int:
    """Return US dollars as whole nanodollars, rounded up except for float noise."""
    return math.ceil(round(dollars * _NANO, 3))


@dataclass(frozen=True)
class Amount:
    """Calls, tokens and nanodollars; None where a currency is not known, or not counted."""

    calls: int = 0
    tokens: int | None = 0
    nanodollars: int | None = 0

    def __add__(self, other: Amount) -> Amount:
        return self._combined(other, operator.add)

    def __sub__(self, other: Amount) -> Amount:
        return self._combined(other, operator.sub)

    def times(self, factor: float, rounding: Callable[[float], int] = math.ceil) -> Amount:
        """Return this amount times `factor`, each currency rounded (by default up)."""
        return self._combined(self, lambda value, _: rounding(value * factor))

    def at_least(self, other: Amount) -> Amount:
        """Return the greater of both in each currency, None where either is not known."""
        return self._combined(other, max)

    def at_most(self, other: Amount) -> Amount:
        """Return the lesser of both in each currency, where both are known."""
        pairs = zip(self.values, other.values, strict=True)
        return Amount(
            *(mine if mine is None or most is None else min(mine, most) for mine, most in pairs)
        )

    def within(self, other: Amount | Limits) -> bool:
        """Return whether no currency is above the other's, where both are known."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(mine is None or most is None or mine <= most for mine, most in pairs)

    @property
    def known(self) -> Amount:
        """The same amount with 0 for what is not known."""
        return Amount(*(value or 0 for value in self.values))

    @property
    def dollars(self) -> float | None:
        """The money in US dollars."""
        return None if self.nanodollars is None else self.nanodollars / _NANO

    @property
    def negative(self) -> bool:
        """Whether any currency is below 0."""
        return any(value is not None and value < 0 for value in astuple(self))

    def _combined(self, other: Amount, combine: Callable[[int, int], int]) -> Amount:
        pairs = zip(self.values, other.values, strict=True)
        values: list[Any] = [
            None if mine is None or its is None else combine(mine, its) for mine, its in pairs
        ]
        return Amount(*values)

    @property
    def values(self) -> tuple[Any, ...]:
        """Calls, tokens and nanodollars."""
        return self.calls, self.tokens, self.nanodollars


NOTHING = Amount()
ONE_CALL = Amount(1)


def describe_amount(amount: Amount, joint: str = ", ") -> str:
    """Return calls, tokens and dollars in words; what is not known or nothing is left out."""
    calls = counted(amount.calls, "call")
    return joint.join(filter(None, (calls, describe_take(amount, joint))))


def describe_take(amount: Amount, joint: str = ", ") -> str:
    """Return tokens and dollars in words, as `describe_amount` does."""
    words = [] if amount.tokens is None else [counted(amount.tokens, "token")]
    if amount.nanodollars:
        words.append(describe_money(amount.nanodollars))
    return joint.join(words)


def describe_money(nanodollars: float) -> str:
    """Return nanodollars as dollars: to the cent from one dollar on."""
    dollars = nanodollars / _NANO
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:,.4f}"


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum of amounts."""
    return sum(amounts, Amount())


@dataclass(frozen=True)
class Limits:
    """The most that may be spent, by currency as in `Amount`; None: no limit."""

    calls: int | None = None
    tokens: int | None = None
    nanodollars: int | None = None

    def __post_init__(self) -> None:
        if any(value is not None and value < 0 for value in astuple(self)):
            raise ValueError(f"a limit is 0 or more, got {self}")

    def less(self, amount: Amount) -> Amount:
        """Return what the limits leave beside the amount; None: no limit."""
        pairs = zip(astuple(self), amount.values, strict=True)
        left: list[Any] = [
            None if most is None or value is None else most - value for most, value in pairs
        ]
        return Amount(*left)

    @property
    def by_worst_case(self) -> bool:
        """Whether tokens or money are limited: a call's cost must then be bounded before it."""
        return self.tokens is not None or self.nanodollars is not None

    def counted(self, amount: Amount) -> Amount:
        """Return the amount without the currencies that have no limit; calls always count."""
        return Amount(
            amount.calls,
            None if self.tokens is None else amount.tokens,
            None if self.nanodollars is None else amount.nanodollars,
        )

    def __str__(self) -> str:
        words = []
        if self.calls is not None:
            words.append(counted(self.calls, "call"))
        if self.tokens is not None:
            words.append(counted(self.tokens, "token"))
        if self.nanodollars is not None:
            words.append(describe_money(self.nanodollars))
        return ", ".join(words)
