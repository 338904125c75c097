"""The budget of a run: reservations, the distinct requests, and what each stage spends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.study.amount import (
    NOTHING,
    ONE_CALL,
    Amount,
    Limits,
    format_amount,
    total,
)


class Budget:
    """At most `limits`, handed out in reservations. Thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = Lock()
        self._charged = Amount()
        self._open: dict[Reservation, None] = {}

    @property
    def spent(self) -> Amount:
        """What is spent so far, by open reservations at the worst case of their calls."""
        with self._lock:
            return self._charged + total(self.limits.counted(item._spent) for item in self._open)

    @property
    def taken(self) -> Amount:
        """What is spent or reserved."""
        with self._lock:
            return self._taken()

    def reserve(
        self, amount: Amount, purpose: str, *, stage: str = "", keep: Amount = NOTHING
    ) -> Reservation | None:
        """Return a reservation of `amount`, booked under `stage`; None when it does not fit.

        It fits only where `keep` is still left beside it.
        """
        if amount.negative:
            raise ValueError(f"can't reserve {amount} for {purpose}")
        counted = self.limits.counted(amount)
        with self._lock:
            if not (self._taken() + counted + keep).within(self.limits):
                return None
            reservation = Reservation(self, counted, purpose, stage)
            self._open[reservation] = None
        return reservation

    def _taken(self) -> Amount:
        """Return the sum of charges and open reservations; the caller holds the lock."""
        return self._charged + total(item.amount for item in self._open)


class Reservation:
    """An amount set aside for one purpose. Made by `Budget.reserve`, whose lock it shares."""

    # ruff: noqa: SLF001 - budget and reservation are one mechanism

    def __init__(self, budget: Budget, amount: Amount, purpose: str, stage: str) -> None:
        self.amount = amount
        self.purpose = purpose
        self.stage = stage
        self._budget = budget
        self._spent = Amount()

    @property
    def spent(self) -> Amount:
        """What was spent from this reservation."""
        with self._budget._lock:
            return self._spent

    def spend(self, amount: Amount = ONE_CALL) -> None:
        """Spend an amount before it is used. Raises BudgetError beyond the reservation."""
        if amount.negative:
            raise ValueError(f"can't spend {amount} on {self.purpose}")
        with self._budget._lock:
            if self not in self._budget._open:
                raise BudgetError(f"{self.purpose}: a call came after its budget was settled")
            spent = self._spent + amount
            if not spent.within(self.amount):
                wanted = format_amount(self._budget.limits.counted(spent))
                raise BudgetError(
                    f"{self.purpose}: {wanted}, but {format_amount(self.amount)} were reserved"
                )
            self._spent = spent

    def grow(self, amount: Amount) -> bool:
        """Reserve at least `amount` from now on; False, and no change, where that does not fit."""
        budget = self._budget
        wanted = self.amount.at_least(budget.limits.counted(amount))
        with budget._lock:
            if not (budget._taken() - self.amount + wanted).within(budget.limits):
                return False
            self.amount = wanted
            return True

    def settle(self, charged: Amount | None = None) -> Amount:
        """Close the reservation and return how much of it goes back to the budget.

        `charged` (by default, and at most, what was spent) stays counted. Nothing goes back when it
        was settled before.
        """
        budget = self._budget
        with budget._lock:
            if self not in budget._open:
                return Amount()
            final = self._spent if charged is None else charged
            if final.negative or not final.within(self._spent):
                raise ValueError(f"{self.purpose}: can't charge {final} of {self._spent}")
            del budget._open[self]
            budget._charged += budget.limits.counted(final)
            return self.amount - final


class LogicalLedger:
    """Counts each distinct request of a run once, cached or not. Thread-safe.

    Which concurrent trial meets a shared request first depends on timing; so each trial gathers its
    digests, and `count_all` counts them in trial order. What was counted before a trial took its
    `mark` is free to it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[str, int] = {}
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
        """The state of the ledger now, for `known`."""
        return len(self)

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

    def __len__(self) -> int:
        """Return the number of distinct requests so far."""
        with self._lock:
            return len(self._places)


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
