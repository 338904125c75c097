"""The logical call budget: what the search may ask for, reserved whole before it is used."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from pytest_mipro.errors import BudgetError

if TYPE_CHECKING:
    from collections.abc import Iterable


class CallBudget:
    """At most `limit` calls (None: no limit), handed out in reservations. Thread-safe.

    Reserve for the decision and the final pass before the search begins: what is reserved can't be
    used by others.
    """

    def __init__(self, limit: int | None) -> None:
        if limit is not None and limit < 0:
            raise ValueError(f"a call budget is 0 or more, got {limit}")
        self.limit = limit
        self._lock = Lock()
        self._reserved = 0
        self._spent = 0

    @property
    def spent(self) -> int:
        """Calls spent so far, those of open reservations included."""
        with self._lock:
            return self._spent

    @property
    def available(self) -> int | None:
        """Calls that can still be reserved; None: no limit."""
        with self._lock:
            return None if self.limit is None else self.limit - self._spent - self._reserved

    def reserve(self, calls: int, purpose: str, *, keep: int = 0) -> Reservation | None:
        """Return a reservation of `calls` calls, or None when they do not fit.

        With `keep` they fit only where that many calls are still left beside them.
        """
        if calls < 0:
            raise ValueError(f"can't reserve {calls} calls for {purpose}")
        with self._lock:
            if self.limit is not None and self._taken(calls) > self.limit - keep:
                return None
            self._reserved += calls
        return Reservation(self, calls, purpose)

    def _taken(self, calls: int) -> int:
        return self._spent + self._reserved + calls

    def _move(self, reserved: int, spent: int) -> None:
        """Change both totals; the caller holds the lock."""
        self._reserved += reserved
        self._spent += spent


class Reservation:
    """Calls set aside for one purpose. Made by `CallBudget.reserve`."""

    def __init__(self, budget: CallBudget, calls: int, purpose: str) -> None:
        self.calls = calls
        self.purpose = purpose
        self._budget = budget
        self._spent = 0
        self._settled = False

    @property
    def spent(self) -> int:
        """Calls spent from this reservation."""
        with self._budget._lock:  # noqa: SLF001 - budget and reservation are one mechanism
            return self._spent

    def spend(self, calls: int = 1) -> None:
        """Spend calls before they are made. Raises BudgetError beyond the reservation."""
        if calls < 0:
            raise ValueError(f"can't spend {calls} calls on {self.purpose}")
        with self._budget._lock:  # noqa: SLF001
            if self._settled:
                raise BudgetError(f"{self.purpose}: a call came after its budget was settled")
            if self._spent + calls > self.calls:
                raise BudgetError(
                    f"{self.purpose}: {self._spent + calls} calls, but {self.calls} were reserved; "
                    "raise --mipro-max-calls or max_calls_per_case"
                )
            self._spent += calls
            self._budget._move(-calls, calls)  # noqa: SLF001

    def settle(self, charged: int | None = None) -> int:
        """Close the reservation and return how many calls go back to the budget.

        `charged` (at most what was spent, and by default that) is what stays counted: less where
        another part of the run turns out to have paid for the same requests. 0 when settled before.
        """
        with self._budget._lock:  # noqa: SLF001
            if self._settled:
                return 0
            final = self._spent if charged is None else charged
            if not 0 <= final <= self._spent:
                raise ValueError(f"{self.purpose}: can't charge {final} of {self._spent} calls")
            self._settled = True
            self._budget._move(self._spent - self.calls, final - self._spent)  # noqa: SLF001
            return self.calls - final


class LogicalLedger:
    """Counts each distinct request of a run once, cached or not. Thread-safe.

    Which of two concurrent trials meets a shared request first depends on timing; so each trial
    gathers its digests, and `count_all` counts them in trial order. `mark` is the state that a
    trial was asked in: what was counted before it is free to the trial, whatever is counted
    meanwhile.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[str, int] = {}
        self._live = 0
        self._asked = 0

    @property
    def live(self) -> int:
        """How many calls an endpoint answered; the others were cached."""
        with self._lock:
            return self._live

    @property
    def asked(self) -> int:
        """How many replies the run's programs and proposals were given, equal requests included."""
        with self._lock:
            return self._asked

    def note_reply(self, *, live: bool) -> None:
        """Note a reply that was given, and whether an endpoint answered it just now."""
        with self._lock:
            self._asked += 1
            self._live += live

    @property
    def mark(self) -> int:
        """The state of the ledger now, for `known`."""
        return len(self)

    def known(self, digest: str, mark: int) -> bool:
        """Return whether the request was counted before `mark` was taken."""
        with self._lock:
            return self._places.get(digest, mark) < mark

    def count_all(self, digests: Iterable[str]) -> int:
        """Note the requests; return how many of them are new."""
        with self._lock:
            before = len(self._places)
            for digest in digests:
                self._places.setdefault(digest, len(self._places))
            return len(self._places) - before

    def __len__(self) -> int:
        """Return the number of distinct requests so far."""
        with self._lock:
            return len(self._places)
