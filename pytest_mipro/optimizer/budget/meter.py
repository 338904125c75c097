"""Meter one part of a run: each request in flight at its worst case, then what its reply told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from pytest_mipro.errors import BudgetError, ProgramError
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.budget.limits import Deadline
from pytest_mipro.optimizer.budget.spending import UNFINISHED, Spending
from pytest_mipro.optimizer.study.amount import NOTHING, ONE_CALL, Amount, describe_amount, total
from pytest_mipro.runtime.calls.context import calling_module, keeping_step
from pytest_mipro.runtime.calls.steps import StepRequest
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper

_stage: ContextVar[str] = ContextVar("stage", default="")


def calling_stage() -> str:
    """Return the stage that a client's call belongs to; "" outside a study's parts."""
    return _stage.get()


@contextmanager
def calling_in(stage: str) -> Iterator[None]:
    """Have the calls of this context belong to a stage."""
    token = _stage.set(stage)
    try:
        yield
    finally:
        _stage.reset(token)


@dataclass(frozen=True)
class MeteredRequest:
    """A request new to the run: its module and model, what it took, and whether it was live.

    `amount` is its worst case until a reply tells, and `spare` what the worst case had beyond it.
    """

    digest: str
    user: tuple[str, str]
    amount: Amount
    live: bool = False
    spare: Amount = NOTHING


class Meter:
    """Counts the requests of one part of the run that are new to the run. Thread-safe."""

    def __init__(self, part: Part, spending: Spending) -> None:
        self._part = part
        self._spending = spending
        self._mark = spending.mark
        self._lock = threading.Lock()
        self._asked: dict[str, MeteredRequest] = {}
        self._open: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self.closed = False
        """Whether the part has ended."""

    @property
    def stage(self) -> str:
        """The stage of the part."""
        return self._part.stage

    @property
    def requests(self) -> list[MeteredRequest]:
        """The requests new to the run."""
        with self._lock:
            return list(self._asked.values())

    @property
    def exceeded(self) -> str:
        """What a part that was stopped needed, for people."""
        return f"more than the {describe_amount(self._part.most, ' or ')} reserved for it"

    @property
    def over(self) -> bool:
        """Whether the requests, in some order, come to one that does not fit at its worst case."""
        asked = self.requests
        spent = total(item.amount for item in asked)
        return not all((spent + item.spare).within(self._part.ledger.limits) for item in asked)

    async def begin(self, digest: str, worst: Amount, user: tuple[str, str]) -> None:
        """Count a request as in flight, as soon as it fits beside the others.

        Raises BudgetError when it does not fit beside nothing in flight, or the part has ended.
        """
        while (turn := self._begin(digest, worst, user)) is not None:
            await turn

    def _begin(
        self, digest: str, worst: Amount, user: tuple[str, str]
    ) -> asyncio.Future[None] | None:
        with self._lock:
            ledger = self._part.ledger
            if self._is_counted(digest):
                return None
            if ledger.begin(worst):
                self._asked[digest] = MeteredRequest(digest, user, worst)
                self._open.add(digest)
                return None
            if ledger.in_flight == NOTHING:
                raise self._too_much(ledger.spent + worst.known)
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            return turn

    def end(self, digest: str, worst: Amount, took: Amount, *, live: bool | None = None) -> None:
        """Count what a request took that was in flight at its worst case.

        `live` tells whether an endpoint answered it just now, None: no reply came.
        """
        if live is not None:
            self._spending.note_reply(live=live)
        with self._lock:
            if digest in self._open:  # not counted before, and the first reply of this part
                self._open.remove(digest)
                self._part.ledger.end(worst, took)
                spare = worst.known - took.known
                self._asked[digest] = replace(self._asked[digest], amount=took, spare=spare)
                self._wake()
            if live and digest in self._asked:
                self._asked[digest] = replace(self._asked[digest], live=True)

    def note(self, item: MeteredRequest) -> bool:
        """Count a request that has its reply; False where it has to wait for others to end.

        Raises BudgetError where it does not fit beside nothing in flight.
        """
        with self._lock:
            if not self._is_counted(item.digest):
                ledger = self._part.ledger
                if not ledger.begin(item.amount):
                    if ledger.in_flight != NOTHING:
                        return False
                    raise self._too_much(ledger.spent + item.amount.known)
                ledger.end(item.amount, item.amount)
                self._asked[item.digest] = item
        self._spending.note_reply(live=item.live)
        return True

    def _is_counted(self, digest: str) -> bool:
        if self.closed:
            raise BudgetError(f"{self._part.purpose}: a call came after its end")
        return digest in self._asked or self._spending.known(digest, self._mark)

    def _too_much(self, wanted: Amount) -> BudgetError:
        limits = self._part.ledger.limits
        needed = describe_amount(limits.counted(wanted))
        most = describe_amount(self._part.most)
        return BudgetError(f"{self._part.purpose}: {needed}, but {most} were reserved")

    def _wake(self) -> None:
        for turn in self._waiting:
            turn.get_loop().call_soon_threadsafe(_arrive, turn)
        self._waiting.clear()

    def settle(self, *, whole: bool = False) -> int:
        """Close the part and return the calls charged: requests that are new to the run.

        A request is charged what it took. `whole` charges all that was reserved: which requests
        came before the limit depends on timing, and the budget must not.
        """
        self._close()
        if whole:
            return self._charge_unfinished(self._part.most)
        fresh = [self._asked[digest] for digest in self._spending.count_all(self._asked)]
        self._part.close(total(item.amount for item in fresh))
        for item in fresh:
            self._spending.add(self._part.stage, item.user, item.amount, live=int(item.live))
        return len(fresh)

    def abandon(self, elsewhere: Amount = NOTHING) -> None:
        """Close the part before all its calls ended: what was begun counts as spent.

        So does what was begun `elsewhere`, at its worst case.
        """
        if not self.closed:
            self._close()
            begun = (self._part.ledger.spent + elsewhere).at_most(self._part.most)
            self._charge_unfinished(begun)

    def _close(self) -> None:
        with self._lock:
            self.closed = True
            self._wake()

    def _charge_unfinished(self, amount: Amount) -> int:
        self._part.close(amount)
        self._spending.add(self._part.stage, (UNFINISHED, ""), amount)
        return amount.calls


def _of_step(request: Request) -> bool:
    return isinstance(request, StepRequest) or bool(keeping_step())


def _arrive(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


class MeteredClient(ClientWrapper):
    """A client whose requests a meter counts before they are made.

    Raises LimitReachedError for one that would wait beyond the deadline.
    """

    def __init__(self, inner: LMClient, meter: Meter, accounting: Accounting) -> None:
        super().__init__(inner)
        self._meter = meter
        self._accounting = accounting

    async def complete(self, request: Request) -> Reply:
        """Count the request and pass it on; one that is lost stays at its worst case.

        A step's result costs nothing and is not counted, and neither are the calls that make one:
        a run that goes on from the cache has the result, and no such calls. The bill has them.
        """
        with calling_in(self._meter.stage):
            if _of_step(request):
                return await self._in_time(request)
            return await self._metered(request)

    async def _metered(self, request: Request) -> Reply:
        digest, cost_model = self._digest(request), self._accounting.cost_model
        took = worst = cost_model.worst(request)
        try:
            await self._meter.begin(digest, worst, (calling_module(), request.model))
        except BudgetError:
            cost_model.note(worst)  # it tells which limit does not hold it
            raise
        live = None
        try:
            reply = await self._in_time(request)
            took, live = cost_model.noted(request, reply, worst), not reply.cached
        except ProgramError:  # endpoints charge nothing for a refusal
            took = ONE_CALL
            raise
        finally:
            self._meter.end(digest, worst, took, live=live)
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply that the inner client has, counted.

        None, too, where `complete` has to wait for its turn, as it would without the reply.
        """
        reply = super().lookup(request)
        if reply is not None and not _of_step(request):
            cost_model, user = self._accounting.cost_model, (calling_module(), request.model)
            worst = cost_model.worst(request)
            took = cost_model.noted(request, reply, worst)
            spare = worst.known - took.known
            live = not reply.cached
            item = MeteredRequest(self._digest(request), user, took, live, spare)
            if not self._meter.note(item):
                return None
        return reply

    def _digest(self, request: Request) -> str:
        return request.digest(request.endpoint_at(self._inner))

    async def _in_time(self, request: Request) -> Reply:
        left = self._accounting.deadline.left()
        if left is None:
            return await self._inner.complete(request)
        try:
            async with asyncio.timeout(left) as limit:
                return await self._inner.complete(request)
        except TimeoutError:
            if limit.expired():
                raise self._accounting.deadline.error() from None
            raise


@dataclass(frozen=True)
class Accounting:
    """What every part of a run is counted by."""

    spending: Spending = field(default_factory=Spending)
    cost_model: CostModel = field(default_factory=CostModel)
    deadline: Deadline = field(default_factory=Deadline)

    def opened(self, inner: LMClient, part: Part) -> tuple[Meter, MeteredClient]:
        """Return a meter for a part, and the client whose calls it counts."""
        meter = Meter(part, self.spending)
        return meter, MeteredClient(inner, meter, self)
