"""A part's calls: bounded while they are under way, stopped alike in whatever order they end."""

import asyncio
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mipro.errors import BudgetError, RefusalError
from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.ledger import Ledger, Part
from pytest_mipro.optimizer.budget.meter import Accounting, MeteredClient
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.client.prices import ModelPrice

PRICE = ModelPrice(1_000.0, 1_000.0)  # a tenth of a cent a token


class Client(ScriptedClient):
    """Takes as many tokens as the request says, in an order by the seed; notes the most at once."""

    def __init__(self, seed: int) -> None:
        super().__init__([])
        self.draw = random.Random(seed)
        self.under_way: list[int] = []
        self.most = 0
        self.used = 0

    async def complete(self, request: Request) -> Reply:
        tokens, bound = int(request.messages[0].content), bound_of(request)
        self.under_way.append(bound)
        self.most = max(self.most, self.used + sum(self.under_way))
        for _ in range(self.draw.randint(0, 5)):
            await asyncio.sleep(0)
        self.under_way.remove(bound)
        self.used += tokens
        return Reply("x", Usage(tokens, 0))


def bound_of(request: Request) -> int:
    return CostModel(Limits(tokens=1)).worst(request).tokens or 0


def request(number: int, tokens: int, output: int) -> Request:
    return Request("m", (Message("user", str(tokens)),), {"max_tokens": output}, sample=number)


def part_of(limits: Limits, calls: int) -> Part:
    made = Ledger(limits).part(
        "a trial", Amount(calls, 10**9, 10**15), Amount(0, 0, 0), stage="search"
    )
    assert made is not None
    return made


def played(limits: Limits, asked: list[Request], seed: int) -> tuple[bool, Client, Part]:
    """Make the calls at once, in an order by the seed; return whether the part was stopped."""
    client, part = Client(seed), part_of(limits, len(asked))
    accounting = Accounting(cost_model=CostModel(limits, lambda _: PRICE))
    order = random.Random(seed).sample(asked, len(asked))

    async def together() -> bool:
        meter, metered = accounting.opened(client, part)
        ends = await asyncio.gather(*map(metered.complete, order), return_exceptions=True)
        assert all(isinstance(end, Reply | BudgetError) for end in ends)
        over = meter.over or any(isinstance(end, BudgetError) for end in ends)
        meter.settle(whole=over)
        return over

    return asyncio.run(together()), client, part


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(30, 90)), min_size=1, max_size=12),
    st.integers(0, 700),
    st.sampled_from(["tokens", "nanodollars", "calls"]),
)
def test_no_limit_is_exceeded_and_no_order_decides_whether_a_part_is_stopped(
    calls: list[tuple[int, int]], limit: int, currency: str
) -> None:
    unit = {"nanodollars": 1_000_000, "calls": 1, "tokens": 1}[currency]
    most = limit // 50 if currency == "calls" else limit
    limits = Limits(**{currency: most * unit})
    asked = [request(number, *call) for number, call in enumerate(calls)]
    ends = set()
    for seed in range(4):
        over, client, part = played(limits, asked, seed)
        if currency != "calls":
            assert client.most <= most  # at any moment, each call under way at its worst case
        assert part.study.spent.within(limits)
        ends.add((over, part.study.used))
    assert len(ends) == 1


def test_calls_wait_for_one_another_where_their_worst_cases_do_not_fit_at_once() -> None:
    asked = [request(number, 10, 400) for number in range(20)]
    over, client, part = played(Limits(tokens=700), asked, 1)
    assert not over
    assert client.most <= 700
    assert part.study.used.tokens == 200


def test_a_reply_that_is_lost_counts_at_its_worst_case_and_a_refusal_with_nothing() -> None:
    class Losing(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            if request.sample:
                raise RefusalError("no")
            await asyncio.Event().wait()
            raise AssertionError

    limits = Limits(tokens=1_000)
    part = part_of(limits, 9)
    accounting = Accounting(cost_model=CostModel(limits))
    meter, client = accounting.opened(Losing([]), part)

    async def lost() -> None:
        task = asyncio.create_task(client.complete(request(0, 5, 50)))
        refused = asyncio.create_task(client.complete(request(1, 5, 50)))
        await asyncio.wait([refused])
        task.cancel()
        await asyncio.gather(task, refused, return_exceptions=True)

    asyncio.run(lost())
    assert meter.settle() == 2
    assert part.study.used.tokens == bound_of(request(0, 5, 50))


def test_a_request_that_two_callers_make_at_once_counts_once() -> None:
    asked = request(0, 10, 50)
    over, _, part = played(Limits(tokens=130), [asked, asked, replace(asked, sample=1)], 0)
    assert not over
    assert part.study.used.tokens == 20


def test_a_part_that_has_ended_refuses_calls_and_those_that_wait() -> None:
    limits = Limits(tokens=150)
    accounting, part = Accounting(cost_model=CostModel(limits)), part_of(limits, 5)

    class Hanging(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def abandoned() -> list[BaseException | Reply]:
        meter, client = accounting.opened(Hanging([]), part)
        assert isinstance(client, MeteredClient)
        under_way = asyncio.create_task(client.complete(request(0, 5, 70)))
        waits = asyncio.create_task(client.complete(request(1, 5, 70)))
        await asyncio.sleep(0)
        meter.abandon()
        late = client.complete(request(2, 5, 9))
        ends = await asyncio.gather(waits, late, return_exceptions=True)
        under_way.cancel()
        await asyncio.gather(under_way, return_exceptions=True)
        return list(ends)

    assert [type(end) for end in asyncio.run(abandoned())] == [BudgetError, BudgetError]
    assert part.study.used.tokens == bound_of(request(0, 5, 70))


def test_a_reply_at_hand_waits_for_room_as_one_that_is_asked_for() -> None:
    """Whether a part is stopped must not depend on which replies are cached."""

    class Cached(Client):
        def lookup(self, request: Request) -> Reply | None:
            return Reply("x", Usage(20, 0), cached=True) if request.sample else None

    first, cached = request(0, 5, 30), request(1, 20, 20)
    limits = Limits(tokens=2 * bound_of(first) + 10)  # two in flight leave no room for 20 more
    assert bound_of(first) + 5 + 20 < 2 * bound_of(first)  # one after the other, all fit

    async def played() -> tuple[bool, int]:
        accounting = Accounting(cost_model=CostModel(limits))
        part = part_of(limits, 3)
        meter, metered = accounting.opened(Cached(0), part)
        for name in ("first", "second"):
            await meter.begin(name, CostModel(limits).worst(first), ("", "m"))
        waited = metered.lookup(cached) is None
        for name in ("first", "second"):
            meter.end(name, CostModel(limits).worst(first), Amount(1, 5))
        assert metered.lookup(cached) is not None
        assert not meter.over
        return waited, meter.settle()

    assert asyncio.run(played()) == (True, 3)
