"""The spending of a study: logical amounts by stage, module and model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

from pytest_mipro.optimizer.study.amount import Amount, total

STAGES = ("baseline", "bootstrap", "proposals", "search", "decision", "final pass")
"""The stages of a study in the order of the plan."""
UNFINISHED = "(unfinished)"
"""The module of charges at their worst case: dropped and abandoned trials."""


@dataclass(frozen=True)
class SpendingEntry:
    """The distinct requests of one module to one model in one stage, cached or not.

    `amount` sums the usage that replies report, None where no price is known; `live` counts the
    requests that an endpoint answered in this run. `module` is empty for the optimiser's own calls.
    """

    stage: str
    module: str
    model: str
    amount: Amount
    live: int


class Spending:
    """Adds up charges. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[tuple[str, str, str], tuple[Amount, int]] = {}

    def add(self, stage: str, user: tuple[str, str], amount: Amount, *, live: int = 0) -> None:
        """Add a charge of `user`, a module and its model, in a stage."""
        with self._lock:
            key = (stage, *user)
            before, earlier = self._entries.get(key, (Amount(), 0))
            self._entries[key] = (before + amount, earlier + live)

    def entries(self) -> tuple[SpendingEntry, ...]:
        """Return all entries: stages in the order of the plan, modules by name."""
        with self._lock:
            keys = sorted(self._entries, key=lambda key: (_place(key[0]), *key))
            return tuple(SpendingEntry(*key, *self._entries[key]) for key in keys)


def _place(stage: str) -> int:
    return STAGES.index(stage) if stage in STAGES else len(STAGES)


def grouped(
    entries: Iterable[SpendingEntry], by: Callable[[SpendingEntry], str]
) -> dict[str, Amount]:
    """Return the sums of the entries by key, in the order of first appearance."""
    groups: dict[str, list[Amount]] = {}
    for entry in entries:
        groups.setdefault(by(entry), []).append(entry.amount)
    return {name: total(amounts) for name, amounts in groups.items()}
