"""The distinct requests of a run, and what they took by stage, module and model."""

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
    """Counts each distinct request of a run once, cached or not, and adds up charges. Thread-safe.

    Which concurrent trial meets a shared request first depends on timing; so each trial gathers its
    digests, and `count_all` counts them in trial order. What was counted before a trial took its
    `mark` is free to it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[str, int] = {}
        self._entries: dict[tuple[str, str, str], tuple[Amount, int]] = {}
        self.live = 0
        """How many calls an endpoint answered; the others were cached."""
        self.asked = 0
        """How many replies the run's programs and proposals got, equal requests included."""

    def note_reply(self, *, live: bool) -> None:
        """Count a reply, and whether an endpoint answered it just now."""
        with self._lock:
            self.asked += 1
            self.live += live

    @property
    def mark(self) -> int:
        """How many distinct requests there are by now, for `known`."""
        with self._lock:
            return len(self._places)

    def known(self, digest: str, mark: int) -> bool:
        """Return whether the request was counted before `mark` was taken."""
        with self._lock:
            return self._places.get(digest, mark) < mark

    def count_all(self, digests: Iterable[str]) -> list[str]:
        """Count the requests; return those that are new, each once."""
        with self._lock:
            fresh = [digest for digest in dict.fromkeys(digests) if digest not in self._places]
            for digest in fresh:
                self._places[digest] = len(self._places)
            return fresh

    def add(self, stage: str, user: tuple[str, str], amount: Amount, *, live: int = 0) -> None:
        """Add a charge of `user`, a module and its model, in a stage."""
        with self._lock:
            key = (stage, *user)
            before, earlier = self._entries.get(key, (Amount(), 0))
            self._entries[key] = (before + amount, earlier + live)

    @property
    def spent(self) -> Amount:
        """What all charges come to."""
        with self._lock:
            return total(amount for amount, _ in self._entries.values())

    def entries(self) -> tuple[SpendingEntry, ...]:
        """Return all entries: stages in the order of the plan, modules by name."""
        with self._lock:
            keys = sorted(self._entries, key=lambda key: (STAGES.index(key[0]), *key))
            return tuple(SpendingEntry(*key, *self._entries[key]) for key in keys)


def grouped(
    entries: Iterable[SpendingEntry], by: Callable[[SpendingEntry], str]
) -> dict[str, Amount]:
    """Return the sums of the entries by key, in the order of first appearance."""
    groups: dict[str, list[Amount]] = {}
    for entry in entries:
        groups.setdefault(by(entry), []).append(entry.amount)
    return {name: total(amounts) for name, amounts in groups.items()}
