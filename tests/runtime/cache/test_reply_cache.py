"""The reply cache: what is kept, and calls that share one flight."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cached_calls import SlowClient, ask, request, rows

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Reply, Request, ScriptedClient, Usage

if TYPE_CHECKING:
    from pathlib import Path


def test_second_call_is_served_from_disk(opened: Any, inner: ScriptedClient) -> None:
    first = ask(opened(inner))
    again = ask(opened(inner))
    assert len(inner.requests) == 1
    assert first.cached is False
    assert again == replace(first, cached=True)


class DatedClient(ScriptedClient):
    """Replies at the time `now`, which its test sets."""

    def __init__(self, now: float) -> None:
        super().__init__(["first", "second", "third"])
        self.now = now

    async def complete(self, request: Request) -> Reply:
        return replace(await super().complete(request), asked=self.now)


def test_a_reply_of_a_clock_that_was_ahead_is_not_fresh(opened: Any) -> None:
    client = DatedClient(time.time() + 9999)
    assert ask(opened(client)).text == "first"
    assert ask(opened(client)).text == "first"
    client.now = time.time()
    fresh = opened(client)
    fresh._since = time.time() - 1
    assert ask(fresh).text == "second"
    assert ask(fresh).text == "second"


def test_a_clock_that_is_set_back_makes_no_call_twice(opened: Any) -> None:
    client = DatedClient(time.time() - 9999)
    fresh = opened(client)
    fresh._since = time.time()
    assert [ask(fresh).text for _ in range(3)] == ["first"] * 3
    assert len(client.requests) == 1


def test_whole_reply_is_kept(opened: Any) -> None:
    text = "a\u0000\ud800 \udfff\ud800\udfff\u2028\x1b🙂" + "x" * 100_000
    whole = Reply(text, Usage(7, 9), 0.1 + 0.2, 1.25, finish_reason="length", model="served")

    class Whole(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            return whole

    first = ask(opened(Whole([])))
    assert ask(opened(ScriptedClient([]))) == replace(first, cached=True)
    assert first == replace(whole, text=text.replace("\ud800\udfff", "\U000103ff"))


def test_reply_is_on_disk_before_it_is_returned(opened: Any, inner: ScriptedClient) -> None:
    client = opened(inner)

    async def on_disk_when_returned() -> bool:
        await client.complete(request())
        with closing(rows(client._folder)) as database:
            return database.execute("SELECT count(*) FROM Cache").fetchone() == (1,)

    assert loop.run(on_disk_when_returned())


def test_lookup_asks_nobody_and_makes_no_folder(
    opened: Any, inner: ScriptedClient, tmp_path: Path
) -> None:
    client = opened(inner)
    assert client.lookup(request()) is None
    assert not (tmp_path / "cache").exists()
    reply = ask(client)
    assert client.lookup(request()) == replace(reply, cached=True)
    assert client.lookup(request("other")) is None
    assert len(inner.requests) == 1


def test_lookup_works_in_many_threads(opened: Any, inner: ScriptedClient) -> None:
    client = opened(inner)
    for number in range(20):
        ask(client, request(str(number)))
    fresh = opened(inner)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: fresh.lookup(request(str(n % 20))), range(400)))
    assert [reply and reply.text for reply in found] == [f"reply to {n % 20}" for n in range(400)]


def test_endpoint_and_sample_are_part_of_the_key(opened: Any) -> None:
    class Elsewhere(ScriptedClient):
        def endpoint(self, model: str) -> str:
            return "abc"

    here, there = ScriptedClient(["1", "2"]), Elsewhere(["3"])
    assert ask(opened(here)).text == "1"
    assert ask(opened(here), request(sample=1)).text == "2"
    assert ask(opened(there)).text == "3"


def test_failures_are_not_kept(opened: Any, inner: ScriptedClient) -> None:
    with pytest.raises(EndpointError):
        ask(opened(ScriptedClient([])))
    assert ask(opened(inner)).cached is False


def test_identical_requests_share_one_call(opened: Any) -> None:
    slow = SlowClient()
    client = opened(slow)

    async def together() -> list[Reply]:
        tasks = [asyncio.create_task(client.complete(request())) for _ in range(10)]
        tasks.append(asyncio.create_task(client.complete(request("other"))))
        await asyncio.sleep(0.1)
        slow.gate.set()
        return await asyncio.gather(*tasks)

    replies = loop.run(together())
    assert len(slow.requests) == 2
    assert {reply.text for reply in replies[:10]} == {"reply to hi"}
    assert [reply.cached for reply in replies] == [False] + [True] * 9 + [False]


def test_failure_reaches_all_who_wait_and_is_not_remembered(opened: Any) -> None:
    slow = SlowClient(EndpointError("down"))
    client = opened(slow)

    async def together() -> list[Any]:
        tasks = [asyncio.create_task(client.complete(request())) for _ in range(5)]
        await asyncio.sleep(0.05)
        slow.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [str(error) for error in loop.run(together())] == ["down"] * 5
    assert len(slow.requests) == 1
    slow.error = None
    assert ask(client).text == "reply to hi"


def test_who_stops_waiting_does_not_stop_the_others(opened: Any) -> None:
    slow = SlowClient()
    client = opened(slow)

    async def together() -> tuple[Any, Reply]:
        first = asyncio.create_task(client.complete(request()))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(client.complete(request()))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0)
        slow.gate.set()
        return await asyncio.gather(first, return_exceptions=True), await second

    (cancelled,), reply = loop.run(together())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert (reply.text, reply.cached) == ("reply to hi", False)
    assert len(slow.requests) == 1


def test_a_call_that_went_away_with_its_caller_is_made_by_the_next(opened: Any) -> None:
    class Leaving(SlowClient):
        async def complete(self, request: Request) -> Reply:
            reply = await super().complete(request)
            if len(self.requests) < 3:
                raise asyncio.CancelledError
            return reply

    slow = Leaving()
    client = opened(slow)

    async def together() -> list[Any]:
        tasks = [asyncio.create_task(client.complete(request())) for _ in range(4)]
        await asyncio.sleep(0.05)
        slow.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    *gone, third, fourth = loop.run(together())
    assert [type(each) for each in gone] == [asyncio.CancelledError] * 2
    assert (third.cached, fourth.cached, len(slow.requests)) == (False, True, 3)


def test_close_ends_calls_under_way(opened: Any) -> None:
    client = opened(SlowClient())

    async def closed() -> list[Any]:
        task = asyncio.create_task(client.complete(request()))
        await asyncio.sleep(0.05)
        await client.aclose()
        await client.aclose()
        return await asyncio.gather(task, return_exceptions=True)

    assert isinstance(loop.run(closed())[0], asyncio.CancelledError)
