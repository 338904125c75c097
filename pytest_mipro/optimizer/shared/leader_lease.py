"""Elect the leader of a shared study by a lease in the store, and close it with the decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, Entry
from pytest_mipro.optimizer.shared.worker import LeadLostError, Worker


@dataclass(frozen=True)
class DecidedElsewhere:
    """Another process, `leader`, decided the study; `better`: it writes a better program."""

    leader: str
    reason: str
    better: bool


class LeaderLease:
    """The lease as one process sees it: `leader` names its holder, `held` tells whether that is me.

    The holder of the oldest open lease leads. A lease that is closed as done was the decision: its
    holder alone writes, so closing it is the last step. A lease that failed is followed by another.
    """

    def __init__(self, store: CoordinationStore, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._seen: Entry | None = None
        self._mine: int | None = None
        self.leader = ""
        self.held = False

    def step(self, entries: Iterable[Entry]) -> DecidedElsewhere | None:
        """Claim the lease if it is free; return the decision that ended the study, if any."""
        leases = [entry for entry in entries if entry.kind == "lease"]
        if self._seen is not None and all(entry.id != self._seen.id for entry in leases):
            closed = self._store.entry(self._seen.id)
            self._seen = None
            if closed.state == "done":
                return DecidedElsewhere(self._worker.owner_name(closed), **closed.fact("decision"))
        if not leases:
            self._store.put("lease")
            self._worker.wake()
            return None
        first = leases[0]
        if first.state == "waiting" and self._store.claim(first.id, self._worker.id):
            self._mine, self.held = first.id, True
            self._worker.release_on_exit(first.id)
            self.leader = self._worker.name
            return None
        self._seen = first
        self.leader = self._worker.owner_name(first)
        return None

    def decide(self, reason: str, *, better: bool) -> None:
        """Close the lease with the decision; raises LeadLostError where another process leads."""
        decision = {"reason": reason, "better": better}
        if self._mine is None or not self._store.finish(self._mine, decision=decision):
            raise LeadLostError
