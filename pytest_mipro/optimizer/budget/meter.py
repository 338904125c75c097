"""Meter one part of a run: count each request before it is made, and its usage afterwards."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field, replace

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.budget.budget import UNFINISHED, LogicalLedger, Reservation, Spending
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.limits import Deadline
from pytest_mipro.optimizer.study.amount import ONE_CALL, Amount, format_amount, total
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper


@dataclass(frozen=True)
class MeteredRequest:
    """A request new to the run: its module and model, its usage or worst case, if it was live."""

    digest: str
    user: tuple[str, str]
    amount: Amount
    live: bool = False


class Meter:
    """Spends the requests of one part of the run that are new to the run, before they are made.

    With `by_usage` (worst cases are not known yet), tokens and money are spent at the part's end.
    """

    def __init__(
        self,
        reservation: Reservation,
        ledger: LogicalLedger,
        spending: Spending | None = None,
        *,
        by_usage: bool = False,
    ) -> None:
        self._reservation = reservation
        self._ledger = ledger
        self._spending = spending or Spending()
        self._mark = ledger.mark
        self._lock = threading.Lock()
        self._asked: dict[str, MeteredRequest] = {}
        self._by_usage = by_usage
        self.closed = False
        """Whether the part has ended."""

    @property
    def requests(self) -> list[MeteredRequest]:
        """The requests new to the run, with their usage or worst case."""
        with self._lock:
            return list(self._asked.values())

    @property
    def exceeded(self) -> str:
        """What a dropped part needed, for people."""
        return f"more than the {format_amount(self._reservation.amount, ' or ')} reserved for it"

    def see(self, digest: str, worst: Amount = ONE_CALL, user: tuple[str, str] = ("", "")) -> None:
        """Note a request of `user`, a module and its model, that takes at most `worst`.

        Raises BudgetError when it is beyond the reservation, or the part has ended.
        """
        with self._lock:
            if self.closed:
                raise BudgetError(f"{self._reservation.purpose}: a call came after its end")
            if digest not in self._asked and not self._ledger.known(digest, self._mark):
                self._reservation.spend(worst)
                self._asked[digest] = MeteredRequest(digest, user, worst)

    def answered(self, digest: str, actual: Amount, *, live: bool = False) -> None:
        """Note the usage of a reply, and whether an endpoint gave it just now."""
        self._ledger.note_reply(live=live)
        with self._lock:
            asked = self._asked.get(digest)
            if asked is not None:
                self._asked[digest] = replace(asked, amount=actual, live=asked.live or live)

    def settle(self, *, whole: bool = False) -> int:
        """Close the reservation and return the calls charged: requests that are new to the run.

        A request is charged its usage, or its worst case where no reply came. `whole` charges the
        whole reservation: which requests came before the limit depends on timing, and the budget
        must not. Raises BudgetError where usage exceeds the reservation.
        """
        with self._lock:
            self.closed = True
        reservation = self._reservation
        if whole:
            return self._charge_whole(reservation.amount)
        fresh = [self._asked[digest] for digest in self._ledger.count_all(self._asked)]
        charged = total(item.amount for item in fresh)
        if self._by_usage:
            reservation.spend(charged - charged.at_most(reservation.spent))
        reservation.settle(charged.at_most(reservation.spent))
        for item in fresh:
            self._spending.add(reservation.stage, item.user, item.amount, live=int(item.live))
        return len(fresh)

    def abandon(self) -> None:
        """Close the reservation before all its calls ended: what was begun counts as spent."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        self._charge_whole(self._reservation.spent)

    def _charge_whole(self, amount: Amount) -> int:
        spent = self._reservation.spent
        self._reservation.spend(amount - spent.at_most(amount))
        self._reservation.settle(amount)
        self._spending.add(self._reservation.stage, (UNFINISHED, ""), amount)
        return amount.calls


class MeteredClient(ClientWrapper):
    """A client whose requests a meter counts before they are made.

    Raises LimitReachedError for one that would wait beyond the deadline.
    """

    def __init__(
        self, inner: LMClient, meter: Meter, cost_model: CostModel, deadline: Deadline
    ) -> None:
        super().__init__(inner)
        self._meter = meter
        self._cost_model = cost_model
        self._deadline = deadline

    async def complete(self, request: Request) -> Reply:
        """Count the request and pass it on."""
        digest, worst = self._count(request)
        reply = await self._in_time(request)
        self._note(digest, request, reply, worst)
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Count the request, cached or not, and return the reply that the inner client has."""
        digest, worst = self._count(request)
        reply = super().lookup(request)
        if reply is not None:
            self._note(digest, request, reply, worst)
        return reply

    async def _in_time(self, request: Request) -> Reply:
        left = self._deadline.left()
        if left is None:
            return await self._inner.complete(request)
        try:
            async with asyncio.timeout(left) as limit:
                return await self._inner.complete(request)
        except TimeoutError:
            if limit.expired():
                raise self._deadline.error() from None
            raise

    def _count(self, request: Request) -> tuple[str, Amount]:
        digest = request.digest(self._inner.endpoint(request.model))
        worst = self._cost_model.worst(request)
        self._meter.see(digest, worst, (calling_module(), request.model))
        return digest, worst

    def _note(self, digest: str, request: Request, reply: Reply, worst: Amount) -> None:
        self._cost_model.note(request, reply)
        actual = self._cost_model.actual(request, reply, worst)
        self._meter.answered(digest, actual, live=not reply.cached)


@dataclass(frozen=True)
class Accounting:
    """What every part of a run is counted by."""

    ledger: LogicalLedger = field(default_factory=LogicalLedger)
    spending: Spending = field(default_factory=Spending)
    cost_model: CostModel = field(default_factory=CostModel)
    deadline: Deadline = field(default_factory=Deadline)

    def opened(self, inner: LMClient, reservation: Reservation) -> tuple[Meter, MeteredClient]:
        """Return a meter for a reservation, and the client whose calls it counts."""
        by_usage = not self.cost_model.calibrated
        meter = Meter(reservation, self.ledger, self.spending, by_usage=by_usage)
        return meter, MeteredClient(inner, meter, self.cost_model, self.deadline)
