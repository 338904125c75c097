"""A reply at hand is taken in the caller's thread, through all wrappers, counted and traced."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro import lm_module
from pytest_mipro.errors import BudgetError, EndpointError, InfrastructureError, ModuleCallError
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.plugin.replies.study_client import StudyClient
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, at_hand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED = Request("m", (Message("user", "hi"),), {"temperature": 0})


@lm_module(model="m")
def shout(text: str) -> str:
    """Shout."""


@lm_module(model="m")
async def shout_later(text: str) -> str:
    """Shout."""


class Threads(CachedClient):
    """Notes which threads look up and ask."""

    def __init__(self, inner: ScriptedClient, folder: Path) -> None:
        super().__init__(inner, folder)
        self.looked: list[str] = []
        self.asked: list[str] = []

    def lookup(self, request: Request) -> Reply | None:
        self.looked.append(threading.current_thread().name)
        return super().lookup(request)

    async def complete(self, request: Request) -> Reply:
        self.asked.append(threading.current_thread().name)
        return await super().complete(request)


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Threads]:
    client = Threads(ScriptedClient(lambda _: "HI"), tmp_path / "cache")
    yield client
    loop.run(client.aclose())


@pytest.mark.parametrize("later", [False, True])
def test_a_cached_reply_spares_the_way_to_the_loop(cached: Threads, later: bool) -> None:
    here = threading.current_thread().name
    trace = Trace(max_calls=2)
    with use(CallContext(cached, trace=trace)):
        for _ in range(2):
            value: Any = asyncio.run(shout_later("hi")) if later else shout("hi")
            assert value == "HI"
    assert cached.looked == [here, here]
    assert cached.asked == ["mipro-loop"]
    assert [(call.cached, call.requests) for call in trace.calls] == [(False, 1), (True, 1)]


def test_trio_awaits_a_module_too(cached: Threads) -> None:
    trio = pytest.importorskip("trio")

    async def both() -> list[str]:
        with use(CallContext(cached)):
            return [await shout_later("hi"), await shout_later("hi")]

    assert trio.run(both) == ["HI", "HI"]
    assert cached.asked == ["mipro-loop"]


def test_a_cancelled_call_of_trio_is_cancelled_on_the_loop() -> None:
    trio = pytest.importorskip("trio")
    ended = threading.Event()

    class Endless(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()
            raise AssertionError

    async def given_up() -> None:
        with trio.move_on_after(0.05), use(CallContext(Endless([]))):
            await shout_later("hi")

    trio.run(given_up)
    assert ended.wait(5)


def test_a_sync_call_on_the_loop_is_refused_whether_cached_or_not(cached: Threads) -> None:
    trace = Trace()
    with use(CallContext(cached, trace=trace)):
        shout("hi")

        async def inside() -> None:
            shout("hi")

        with pytest.raises(ModuleCallError, match="on the loop that has to serve it"):
            loop.run(inside())
    assert isinstance(trace.broken, ModuleCallError)  # also where the client swallows it


def test_a_client_without_a_lookup_is_asked() -> None:
    assert at_hand(ScriptedClient(["x"]), ASKED) is None


def test_a_lookup_that_breaks_the_contract_is_told() -> None:
    class Broken(ScriptedClient):
        def lookup(self, request: Request) -> Reply | None:
            raise KeyError("lost")

    trace = Trace()
    with (
        use(CallContext(Broken(["x"]), trace=trace)),
        pytest.raises(EndpointError, match="the client Broken broke its contract: KeyError"),
    ):
        shout("hi")
    assert isinstance(trace.broken, EndpointError)


def test_the_meter_counts_a_cached_request_once(cached: Threads) -> None:
    loop.run(cached.complete(ASKED))
    part = Ledger(Limits(5)).part("a trial", Amount(2), stage="search")
    assert part is not None
    accounting = Accounting()
    meter, client = accounting.opened(cached, part)
    assert at_hand(client, ASKED) == at_hand(client, ASKED)
    other = Request("m", (Message("user", "other"),))
    assert at_hand(client, other) is None
    loop.run(client.complete(other))
    assert part.ledger.spent.calls == 2
    with pytest.raises(BudgetError):
        loop.run(client.complete(Request("m", (Message("user", "a third"),))))
    assert meter.settle() == 2
    assert (accounting.spending.asked, accounting.spending.live) == (3, 1)


def test_a_study_that_has_ended_refuses_cached_replies_too(cached: Threads) -> None:
    loop.run(cached.complete(ASKED))
    with StudyClient(cached) as client:
        assert at_hand(client, ASKED) is not None
    with pytest.raises(InfrastructureError, match="the study has ended"):
        at_hand(client, ASKED)
