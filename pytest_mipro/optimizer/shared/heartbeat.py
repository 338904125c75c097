"""Detect dead processes by heartbeats that stop, and free what they had claimed.

Each process counts by its own clock; clocks of several machines are never compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry

PROCESS_TIMEOUT = 30.0
"""Seconds without a heartbeat after which a process counts as dead."""
_INTERVAL = 2.0


def heartbeat_interval(timeout: float) -> float:
    """Return the seconds between heartbeats: several of them fit into the timeout."""
    return min(_INTERVAL, timeout / 5)


class FailureDetector:
    """Tells whose heartbeat has not changed for `timeout` seconds since it was first seen."""

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._clock = clock
        self._now = clock()
        self._seen: dict[int, tuple[object, float]] = {}

    def begin_round(self) -> None:
        """Begin to check all entries; start counting anew if this process itself was suspended."""
        before, self._now = self._now, self._clock()
        if self._now - before > self._timeout / 2:
            self._seen.clear()

    def is_silent(self, number: int, heartbeat: object) -> bool:
        """Return whether an entry's heartbeat has stayed the same for longer than the timeout."""
        known, since = self._seen.get(number, (None, 0.0))
        if number not in self._seen or known != heartbeat:
            self._seen[number] = (heartbeat, self._now)
            return False
        return self._now - since > self._timeout


class Reaper:
    """Closes the entries of dead processes, and what they had claimed, as failed."""

    def __init__(self, store: CoordinationStore, timeout: float) -> None:
        self._store = store
        self._detector = FailureDetector(timeout)
        self._orphans: set[int] = set()

    def reap(self, entries: Sequence[Entry], own: int) -> list[str]:
        """Return the names of the processes found dead; `own` is the entry of this one."""
        self._detector.begin_round()
        living, dead = set(), []
        for entry in entries:
            if entry.kind == "process":
                if entry.id != own and self._detector.is_silent(entry.id, entry.heartbeat):
                    dead.append(entry)
                else:
                    living.add(entry.id)
        names = [str(entry.fact("name")) for entry in dead if self._store.fail(entry.id)]
        self._free_claims(entries, living)
        return names

    def _free_claims(self, entries: Sequence[Entry], living: set[int]) -> None:
        orphans = set()
        for entry in entries:
            if entry.state != "running" or entry.kind == "process":
                continue
            if entry.owner is None:  # the claimer is about to write its id, or died before it did
                if self._detector.is_silent(entry.id, None):
                    self._store.fail(entry.id)
            elif entry.owner not in living:
                orphans.add(entry.id)
        # Only if seen twice: one round may read a claim that is younger than the claimer's entry.
        for number in orphans & self._orphans:
            self._store.fail(number)
        self._orphans = orphans
