"""The lease: of the processes that share a study, its holder alone proposes and decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.shared.member import LeadLostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mipro.optimizer.shared.board import Board, Entry
    from pytest_mipro.optimizer.shared.member import Member


@dataclass(frozen=True)
class DecidedElsewhere:
    """Another process, `leader`, decided the study; `better`: and writes a better program."""

    leader: str
    reason: str
    better: bool


class Lease:
    """The lease as one member sees it.

    Who holds the oldest open lease leads. A lease that is closed as done was the decision: its
    holder alone writes, so that closing it is the last step. One that has failed is followed by
    another.
    """

    def __init__(self, board: Board, member: Member) -> None:
        self._board = board
        self._member = member
        self._seen: Entry | None = None
        self.mine: int | None = None
        self.leader = ""

    def step(self, entries: Iterable[Entry]) -> DecidedElsewhere | None:
        """Look at the lease and take it if it is free; return the decision that ended the study.

        Afterwards `mine` is set where this process leads, and `leader` names who does.
        """
        leases = [entry for entry in entries if entry.kind == "lease"]
        if self._seen is not None and all(entry.id != self._seen.id for entry in leases):
            closed = self._board.entry(self._seen.id)
            self._seen = None
            if closed.state == "done":
                end = closed.fact("decision")
                name = self._member.name_of(closed)
                return DecidedElsewhere(name, end["reason"], end["better"])
        if not leases:
            self._board.put("lease")
            return None
        first = leases[0]
        if first.state == "waiting" and self._board.claim(first.id, self._member.id):
            self.mine = first.id
            self._member.own(first.id)
            self.leader = self._member.crew.name
            return None
        self._seen = first
        self.leader = self._member.name_of(first)
        return None

    def lose(self) -> None:
        """Give up the lead that was lost; who holds it is seen at the next step."""
        self.mine, self.leader = None, ""

    def decide(self, reason: str, *, better: bool) -> None:
        """Close the lease with the decision; raises LeadLostError where another process leads."""
        decision = {"reason": reason, "better": better}
        if self.mine is None or not self._board.finish(self.mine, decision=decision):
            raise LeadLostError
