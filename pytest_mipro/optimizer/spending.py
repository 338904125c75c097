"""What a study spent: logical amounts by stage, module and model."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.amount import Amount, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNFINISHED = "(unfinished)"
"""Stands for the module of what was charged at its worst case: dropped and abandoned trials."""


@dataclass(frozen=True)
class Spent:
    """What one module's calls to one model took in one stage: distinct requests, cached or not.

    `live` counts those that an endpoint answered in this run. `module` is empty for the calls of
    the optimiser itself. `amount` is what replies tell of their usage, None where they tell no
    price.
    """

    stage: str
    module: str
    model: str
    amount: Amount
    live: int


class Spending:
    """Adds up what is charged. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[tuple[str, str, str], tuple[Amount, int]] = {}

    def add(self, stage: str, user: tuple[str, str], amount: Amount, *, live: int = 0) -> None:
        """Add what `user`, a module and its model, was charged in a stage."""
        with self._lock:
            key = (stage, *user)
            before, earlier = self._entries.get(key, (Amount(), 0))
            self._entries[key] = (before + amount, earlier + live)

    def entries(self) -> tuple[Spent, ...]:
        """Return all that was spent: stages in the order of their first charge, modules by name."""
        with self._lock:
            stages = list(dict.fromkeys(stage for stage, _, _ in self._entries))
            keys = sorted(self._entries, key=lambda key: (stages.index(key[0]), *key[1:]))
            return tuple(Spent(*key, *self._entries[key]) for key in keys)


def grouped(entries: Iterable[Spent], by: Callable[[Spent], str]) -> dict[str, Amount]:
    """Return the sums of the entries by a name of theirs, in the order of first appearance."""
    groups: dict[str, list[Amount]] = {}
    for entry in entries:
        groups.setdefault(by(entry), []).append(entry.amount)
    return {name: total(amounts) for name, amounts in groups.items()}
