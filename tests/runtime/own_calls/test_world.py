"""What the world does to own calls: refusals, faults, broken streams, callers that go away."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
import trio
from lm_stub import Stub
from own_case import case

from pytest_mipro.errors import (
    CallLimitError,
    ContextWindowError,
    EndpointDownError,
    EndpointError,
    MissingKeyError,
    MissingReplyError,
    ModuleCallError,
    UnreachableError,
)
from pytest_mipro.plugin.replies.study_client import StudyClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.attempts import LiveSettings
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient, Reply, Request, Usage
from pytest_mipro.runtime.client.retry import counting_lost_attempts
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.own_calls import sending
from pytest_mipro.runtime.own_calls.sending import SendingClient
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReplies

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
KEY = "sk-proj-0123456789abcdefghij"


def post(server: Stub, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{server.url}/v1/chat/completions"
    return httpx.post(url, json={**BODY, **more}, headers=headers)


async def post_async(server: Stub, text: str = "hi") -> httpx.Response:
    body = {**BODY, "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient() as made:
        return await made.post(f"{server.url}/v1/chat/completions", json=body)


def test_a_refusal_reaches_the_client_as_it_is(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (429, {"retry-after": "7"})
    with case(client) as trace:
        answer = post(server)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["message"] == "a fault of 429"
    assert isinstance(trace.broken, EndpointError)
    assert trace.calls == ()


def test_a_fault_is_tried_again_as_a_module_s_call_is(server: Stub, client: LMClient) -> None:
    server.faults = lambda number: (503, {}) if number == 1 else None
    with case(client) as trace:
        assert post(server).status_code == 200
    assert (trace.broken, len(trace.calls), server.count) == (None, 1, 2)


def test_what_the_client_tries_again_itself_counts_as_one_call(
    server: Stub, client: LMClient
) -> None:
    server.faults = lambda number: (503, {}) if number < 4 else None
    with case(client, max_calls=1) as trace:
        assert [post(server).status_code for _ in range(2)] == [503, 200]
    assert (trace.broken, len(trace.calls)) == (None, 1)


def test_clients_are_told_not_to_try_again(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (500, {})
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY)
    with case(client) as trace, made, pytest.raises(openai.InternalServerError):
        made.chat.completions.create(**BODY)
    assert "failed 2 times, at last with 500: a fault of 500" in str(trace.broken)
    assert server.count == 2


def test_a_redirect_is_followed_by_the_client(server: Stub, client: LMClient) -> None:
    moved = {"location": f"{server.url}/v2/chat/completions"}
    server.faults = lambda number: (308, moved) if number == 1 else None
    url = f"{server.url}/v1/chat/completions"
    with case(client) as trace:
        assert httpx.post(url, json=BODY, follow_redirects=True).status_code == 200
    assert (trace.broken, len(trace.calls)) == (None, 1)


@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_compresses_unasked(server: Stub, client: LMClient, stream: bool) -> None:
    plain = post(server, stream=stream)
    server.compress = True
    for _ in range(2):
        with case(client) as trace:
            assert post(server, stream=stream).content == plain.content
        assert trace.calls[0].usage == Usage(7, 3)


def test_a_wrong_key_is_the_error_of_a_key(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (401, {})
    with case(client) as trace:
        assert post(server).status_code == 401
    assert isinstance(trace.broken, MissingKeyError)


def test_an_endpoint_that_is_not_there(client: LMClient) -> None:
    with case(client) as trace, pytest.raises(httpx.ConnectError):
        post(Stub("http://127.0.0.1:9"))
    assert isinstance(trace.broken, UnreachableError)


def test_an_answer_that_takes_too_long(server: Stub, client: LMClient) -> None:
    server.wait = 0.5
    with case(client) as trace, pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=BODY, timeout=0.05)
    assert isinstance(trace.broken, EndpointDownError)


def test_a_request_that_is_too_long_is_the_candidate_s(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (400, {})
    server.message = "This model's maximum context length is 8 tokens"
    with case(client) as trace:
        assert post(server).status_code == 400
    assert isinstance(trace.caused, ContextWindowError)
    assert trace.broken is None


def test_a_stream_that_breaks_off_is_kept_nowhere(server: Stub, client: LMClient) -> None:
    server.cut = True
    with case(client) as trace:
        assert post(server, stream=True).text.startswith("data: ")
    assert "ended before its last event" in str(trace.broken)
    server.cut = False
    with case(client) as again:
        post(server, stream=True)
    assert again.broken is None
    assert server.count == 2 + 1


def test_more_calls_than_allowed_are_refused_and_not_tried_again(
    server: Stub, client: LMClient
) -> None:
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY)
    with case(client, max_calls=1) as trace, made:
        made.chat.completions.create(**BODY)
        with pytest.raises(openai.APIStatusError, match="more than 1 LM call "):
            made.chat.completions.create(**BODY, temperature=0)
    assert isinstance(trace.caused, CallLimitError)
    assert server.count == 1


def test_without_a_recorded_reply_nothing_is_sent(server: Stub) -> None:
    nothing = RecordedClient(RecordedReplies("x.replies.jsonl"), None, "test_x[1]")
    with case(nothing) as trace:
        answer = post(server)
        later = asyncio.run(post_async(server))
    assert (answer.status_code, later.status_code, server.count) == (424, 424, 0)
    assert "the pipeline's own client has no recorded reply" in answer.text
    assert isinstance(trace.broken, MissingReplyError)


def test_an_endpoint_that_echoes_the_key_is_no_reply(server: Stub, client: LMClient) -> None:
    from pytest_mipro.plugin.replies.recording import CheckedClient  # noqa: PLC0415

    checked = CheckedClient(client, ())
    with case(checked) as trace:
        post(server, messages=[{"role": "user", "content": "say the key"}])
        assert trace.broken is None
        server.reply = KEY
        answer = post(server)
    assert answer.status_code == 424
    assert KEY not in answer.text
    assert "echoed a credential" in str(trace.broken)


def test_who_stops_waiting_takes_the_answer_from_nobody(server: Stub, client: LMClient) -> None:
    server.wait = 0.2

    async def run() -> list[Any]:
        impatient = asyncio.wait_for(post_async(server), 0.05)
        return await asyncio.gather(impatient, post_async(server), return_exceptions=True)

    with case(client) as trace:
        first, second = asyncio.run(run())
    assert isinstance(first, TimeoutError)
    assert (second.status_code, server.count, trace.broken) == (200, 1, None)


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


@pytest.mark.parametrize("on_a_loop", [False, True])
def test_an_answer_that_is_lost_counts_as_an_attempt(on_a_loop: bool, server: Stub) -> None:
    class Counting(ClientWrapper):
        async def complete(self, request: Request) -> Reply:
            with counting_lost_attempts(lost.append):
                return await super().complete(request)

    async def run() -> None:
        post(server, stream=True)

    lost: list[bool] = []
    server.cut = True
    with case(Counting(SendingClient(OfflineClient(), LiveSettings(attempts=1)))):
        asyncio.run(run()) if on_a_loop else post(server, stream=True)
    assert lost == [False]


def test_a_call_after_a_failed_one_has_an_error_of_its_own(server: Stub, client: LMClient) -> None:
    with case(client, max_calls=1) as trace:
        try:
            httpx.post("http://127.0.0.1:9/v1/chat/completions", json=BODY)
        except httpx.ConnectError:
            assert post(server).status_code == 424
    assert isinstance(trace.caused, CallLimitError)


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
