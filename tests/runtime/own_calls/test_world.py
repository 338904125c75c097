"""What the world does to own calls: refusals, faults, broken streams, keys and limits."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextvars import copy_context

import httpx
import openai
import pytest
from lm_stub import Stub
from own_case import case
from own_posts import BODY, KEY, post, post_async

from pytest_mipro.errors import (
    CallLimitError,
    ContextWindowError,
    EndpointDownError,
    EndpointError,
    MissingKeyError,
    MissingReplyError,
    UnknownModelError,
    UnreachableError,
)
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient, Reply, Request, Usage
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.client.live.retry import counting_lost_attempts
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.own_calls.sending import SendingClient
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReplies


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


@pytest.mark.parametrize(
    "page",
    [
        "<html>maintenance: no api key</html>",
        '{"detail": "upstream failed"}',
        '{"choices": []}',
        "",
    ],
)
def test_a_page_in_place_of_a_reply_is_tried_again_and_kept_nowhere(
    server: Stub, client: LMClient, page: str
) -> None:
    server.faults = lambda number: (200, {}) if number <= 2 else None
    server.page = page
    with case(client) as trace:
        assert post(server).text == page
    assert isinstance(trace.broken, EndpointDownError)
    assert "the answer is no reply" in str(trace.broken)
    with case(client) as again:
        assert post(server).json()["choices"]
    assert (again.broken, server.count) == (None, 3)


def test_what_a_client_tries_again_after_no_answer_is_tried_once(
    server: Stub, client: LMClient
) -> None:
    """An SDK tries time-outs again, after each of which two attempts were made for it."""
    server.wait = 0.3
    with case(client) as trace:
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{server.url}/v1/chat/completions", json=BODY, timeout=0.05)
    assert isinstance(trace.broken, EndpointDownError)
    assert server.count == 2 + 1 + 1


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


def test_a_compression_that_nobody_reads_is_named(server: Stub, client: LMClient) -> None:
    server.page, server.faults = "squeezed", lambda _: (200, {"content-encoding": "lzma2"})
    with case(client) as trace:
        post(server)
    assert "compressed unasked (lzma2)" in str(trace.broken)


def test_a_wrong_key_is_the_error_of_a_key(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (401, {})
    with case(client) as trace:
        assert post(server).status_code == 401
    assert isinstance(trace.broken, MissingKeyError)
    assert str(trace.broken).endswith("check the key that the pipeline gives its client")


def test_a_place_that_is_not_there_is_told_as_the_client_s(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (404, {})
    with case(client) as trace:
        assert post(server).status_code == 404
    assert isinstance(trace.broken, UnknownModelError)
    assert "a fault of 404; check the model's name and the base URL" in str(trace.broken)


def test_an_endpoint_that_is_not_there(client: LMClient) -> None:
    with case(client) as trace, pytest.raises(httpx.ConnectError):
        post(Stub("http://127.0.0.1:9"))
    assert isinstance(trace.broken, UnreachableError)


def test_an_answer_that_takes_too_long(server: Stub, client: LMClient) -> None:
    server.wait = 0.5
    with case(client) as trace, pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=BODY, timeout=0.05)
    assert isinstance(trace.broken, EndpointDownError)


def test_a_call_that_the_pipeline_cancels_is_known(server: Stub, client: LMClient) -> None:
    async def briefly() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post_async(server), 0.05)

    server.wait = 0.5
    with case(client) as trace:
        asyncio.run(briefly())
    assert (trace.given_up, trace.calls) == (1, ())


def test_a_call_that_the_pipeline_waits_for_no_longer_is_known(
    server: Stub, client: LMClient
) -> None:
    server.wait = 0.5
    with case(client) as trace:
        asked = threading.Thread(target=copy_context().run, args=(post, server))
        asked.start()
        while asked.is_alive() and not server.asked:
            time.sleep(0.01)
        assert (trace.given_up, trace.calls) == (1, ())
        asked.join()
    assert (trace.given_up, len(trace.calls)) == (0, 1)


def test_a_call_that_failed_is_not_given_up(server: Stub, client: LMClient) -> None:
    server.faults = lambda _: (503, {})
    with case(client) as trace:
        post(server)
    assert trace.given_up == 0


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


def test_a_key_that_a_stream_echoes_in_pieces_is_no_reply(server: Stub, client: LMClient) -> None:
    from pytest_mipro.plugin.replies.recording import CheckedClient  # noqa: PLC0415

    choices = [{"delta": {"content": text}, "finish_reason": "stop"} for text in (KEY[:9], KEY[9:])]
    server.faults = lambda _: (200, {"content-type": "text/event-stream"})
    server.page = "".join(f"data: {json.dumps({'choices': [each]})}\n\n" for each in choices)
    with case(CheckedClient(client, ())) as trace:
        post(server, stream=True)
    assert "echoed a credential" in str(trace.broken)


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
