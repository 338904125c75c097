"""Own calls and event loops: callers that go away, loops that end, and calls that block one."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import trio
from lm_stub import Stub
from own_case import case
from own_posts import BODY, post, post_async

from pytest_mipro.errors import ModuleCallError
from pytest_mipro.plugin.replies.study_client import StudyClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.own_calls import sending


def test_who_stops_waiting_takes_the_answer_from_nobody(server: Stub, client: LMClient) -> None:
    server.wait = 0.2

    async def run() -> list[Any]:
        impatient = asyncio.wait_for(post_async(server), 0.05)
        return await asyncio.gather(impatient, post_async(server), return_exceptions=True)

    with case(client) as trace:
        first, second = asyncio.run(run())
    assert isinstance(first, TimeoutError)
    assert (second.status_code, server.count, trace.broken) == (200, 1, None)


def test_a_cache_answers_calls_made_at_once_in_the_order_of_live_ones(
    server: Stub, client: LMClient
) -> None:
    server.wait = 0.05

    async def run() -> None:
        async def chain() -> None:
            await post_async(server, "translate")
            await post_async(server, "polish")

        await asyncio.gather(chain(), post_async(server, "judge the tone"))

    orders = []
    for _ in range(2):
        with case(client) as trace:
            asyncio.run(run())
        orders.append([call.digest for call in trace.calls])
    assert orders[0] == orders[1]
    assert len(set(orders[0])) == server.count == 3


def test_a_loop_that_ends_with_a_call_in_flight_leaves_the_next_one_whole(
    server: Stub, client: LMClient
) -> None:
    server.wait = 0.2

    async def leave() -> None:
        task = asyncio.create_task(post_async(server))
        await asyncio.sleep(0.05)
        task.cancel()

    with case(client) as trace:
        asyncio.run(leave())
        assert asyncio.run(post_async(server)).status_code == 200
    assert trace.broken is None


def test_a_loop_that_ends_leaves_its_call_to_those_who_wait(server: Stub, client: LMClient) -> None:
    asked, goes_on = threading.Event(), threading.Event()
    server.answers = lambda _: str(asked.set() or goes_on.wait(5))
    going = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool, StudyClient(client) as study, case(study) as trace:
        task = going.create_task(post_async(server))
        going.run_until_complete(asyncio.wait_for(asyncio.to_thread(asked.wait), 5))
        copied = contextvars.copy_context()
        waiting = pool.submit(copied.run, lambda: asyncio.run(post_async(server)))
        while len(study._waiting) < 2:
            time.sleep(0.001)
        for each in asyncio.all_tasks(going):
            each.cancel()
        going.run_until_complete(asyncio.wait([task]))
        going.close()
        goes_on.set()
        assert waiting.result(5).status_code == 200
        assert post(server, temperature=0).status_code == 200
    assert (trace.broken, server.count) == (None, 3)


def test_a_call_ends_with_a_loop_that_is_closed_before_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "_LOOK_SECONDS", 0.01)
    going, begun = asyncio.new_event_loop(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def sender() -> Any:
        return sending.from_loop(endless, "key")

    sent = going.run_until_complete(sender())
    calls = [loop.submit(sent())]
    going.run_until_complete(begun.wait())
    going.close()
    for call in (*calls, loop.submit(sent())):
        with pytest.raises(CancelledError):
            call.result(5)


def test_a_client_that_is_closed_meanwhile_leaves_no_thread_an_error(
    server: Stub, client: LMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, goes_on, errors = threading.Event(), threading.Event(), list[Any]()
    monkeypatch.setattr(threading, "excepthook", errors.append)
    server.answers = lambda _: str(asked.set() or goes_on.wait(5))
    with case(client), ThreadPoolExecutor(1) as pool:
        made = pool.submit(contextvars.copy_context().run, post, server)
        asked.wait(5)
        sender = next(each for each in threading.enumerate() if each.name == "mipro-own-call")
        loop.run(client.aclose())
        goes_on.set()
        sender.join(5)
        assert made.exception(5) is not None
    assert errors == []


def test_nor_does_it_end_a_run_of_trio(server: Stub, client: LMClient) -> None:
    asked, goes_on = threading.Event(), threading.Event()
    server.answers = lambda _: str(asked.set() or goes_on.wait(5))

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post_async, server)
            await trio.to_thread.run_sync(asked.wait)
            await trio.to_thread.run_sync(loop.run, client.aclose())
            goes_on.set()

    with case(client), pytest.raises(ExceptionGroup):
        trio.run(run, strict_exception_groups=True)


def test_a_client_of_the_whole_pipeline_serves_cases_that_have_a_loop_each(
    server: Stub, client: LMClient
) -> None:
    shared = httpx.AsyncClient()
    url = f"{server.url}/v1/chat/completions"

    async def ask(number: int) -> list[int]:
        bodies = [{**BODY, "seed": 3 * number + n} for n in range(3)]
        answers = await asyncio.gather(*(shared.post(url, json=body) for body in bodies))
        return [answer.status_code for answer in answers]

    for number in range(2):
        with case(client) as trace:
            assert asyncio.run(ask(number)) == [200] * 3
        assert trace.broken is None
    assert server.count == 6


def test_trio_is_served_too(server: Stub, client: LMClient) -> None:
    for _ in range(2):
        with case(client) as trace:
            assert trio.run(post_async, server).status_code == 200
        assert len(trace.calls) == 1
    assert server.count == 1


def test_a_sync_call_on_a_running_loop_waits_for_no_turn_of_that_loop(
    server: Stub, client: LMClient
) -> None:
    server.wait = 0.1

    async def run() -> list[int]:
        others = [asyncio.create_task(post_async(server, f"text {n}")) for n in range(8)]
        await asyncio.sleep(0.05)
        blocking = post(server)
        return [blocking.status_code, *[(await each).status_code for each in others]]

    with case(client):
        assert asyncio.run(run()) == [200] * 9


def test_a_sync_call_that_waits_for_its_own_loop_is_refused(server: Stub, client: LMClient) -> None:
    server.wait = 0.1

    async def run() -> httpx.Response:
        other = asyncio.create_task(post_async(server))
        while not sending._under_way:
            await asyncio.sleep(0.001)
        refused = post(server)
        assert (await other).status_code == 200
        return refused

    with case(client) as trace:
        assert "blocks the event loop" in asyncio.run(run()).text
    assert isinstance(trace.broken, ModuleCallError)


def test_so_is_a_call_that_begins_while_another_one_blocks_its_loop() -> None:
    async def never() -> None:
        raise AssertionError("not reached")

    async def run() -> BaseException | None:
        sent = sending.from_loop(never, "key")
        with sending.blocking("key"):
            return loop.submit(sent()).exception(5)

    assert isinstance(asyncio.run(run()), ModuleCallError)
    assert not sending._blocked | sending._under_way
