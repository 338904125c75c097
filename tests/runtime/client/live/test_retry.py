"""Which failed live calls are tried again, and when."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from live_calls import KEY, MODEL, ask, choice, client_of, error_of, request
from scripted_server import Answer, ScriptedServer, completion, failure

from pytest_mipro.errors import EndpointDownError, EndpointError, RefusalError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Reply
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings
from pytest_mipro.runtime.client.live.live_errors import failure_of
from pytest_mipro.runtime.client.live.rate_limit import RateLimiter
from pytest_mipro.runtime.client.live.retry import back_off, counting_lost_attempts, retry_after

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.parametrize(
    "fault",
    [
        failure(408, "late"),
        failure(409, "conflict"),
        failure(429, "slow down"),
        failure(500, "boom"),
        failure(503, "overloaded"),
        failure(529, "overloaded"),
        Answer(body='{"id": '),
        Answer(body="<html>", headers={"content-type": "text/html"}),
        Answer(body='{"id": "1", "object": "chat.completion", "created": 1, "model": "m"}'),
        completion("x", choices=[]),
        completion("x", choices=None),
        Answer(body=completion("hello").body, cut=True),
        Answer(body=completion("late").body, delay=1.0),
        Answer(body=completion("slow").body, drip=0.05),
    ],
    ids=[
        *("408", "409", "429", "500", "503", "529"),
        *(
            "broken json",
            "html",
            "no choices",
            "empty choices",
            "null choices",
            "cut",
            "time-out",
            "drip",
        ),
    ],
)
def test_faults_of_the_world_are_tried_again(server: ScriptedServer, fault: Answer) -> None:
    server.script = [fault, fault, completion("at last")]
    client = client_of(server, timeout=0.5)
    assert ask(client).text == "at last"
    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[2]


def test_after_all_attempts_the_error_tells_the_last_cause(server: ScriptedServer) -> None:
    server.script = [failure(500, "boom")]
    error = error_of(client_of(server, attempts=3))
    assert isinstance(error, EndpointError)
    assert len(server.bodies) == 3
    assert "3 times" in str(error)
    assert "boom" in str(error)
    assert MODEL in str(error)


def test_refused_connection_is_named(server: ScriptedServer) -> None:
    error = error_of(client_of(server, api_base="http://127.0.0.1:9/v1", attempts=2))
    assert isinstance(error, EndpointError)
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize("status", [429, 503, 408])
def test_retry_after_is_waited_for(server: ScriptedServer, status: int) -> None:
    server.script = [failure(status, "slow down", retry_after="0.4"), completion("now")]
    ask(client_of(server))
    assert 0.4 <= server.times[1] - server.times[0] < 2.0


def test_retry_after_is_bounded(server: ScriptedServer) -> None:
    server.script = [failure(429, "slow down", retry_after="3600"), completion("now")]
    ask(client_of(server, longest_wait=0.2))
    assert 0.2 <= server.times[1] - server.times[0] < 2.0


def all_of(client: LiteLLMClient, count: int, model: str = MODEL) -> list[str]:
    async def together() -> list[Reply]:
        asked = (request(f"question {number}", model) for number in range(count))
        return await asyncio.gather(*(client.complete(one) for one in asked))

    return [reply.text for reply in loop.run(together())]


def test_a_refusal_for_the_rate_makes_all_calls_to_the_model_wait(server: ScriptedServer) -> None:
    server.script = [failure(429, "slow down", retry_after="0.5"), completion("now")]
    all_of(client_of(server, concurrency=1), 3)
    waits = [later - server.times[0] for later in server.times[1:]]
    assert len(waits) == 3
    assert 0.5 <= min(waits) < 2.0


def test_other_models_do_not_wait_for_it(server: ScriptedServer) -> None:
    def script(body: dict[str, Any]) -> Answer:
        limited = body["model"] == "gpt-4o-mini" and len(server.bodies) == 1
        return failure(429, "slow down", retry_after="1") if limited else completion("now")

    server.script = script
    client = client_of(server)

    async def both() -> None:
        slow = asyncio.create_task(client.complete(request()))
        while not server.bodies:
            await asyncio.sleep(0.01)
        await client.complete(request(model="openai/local"))
        await slow

    loop.run(both())
    assert [body["model"] for body in server.bodies] == ["gpt-4o-mini", "local", "gpt-4o-mini"]
    assert server.times[1] - server.times[0] < 1.0


def test_calls_refused_while_others_are_answered_are_not_given_up(server: ScriptedServer) -> None:
    def script(_: dict[str, Any]) -> Answer:  # two of three calls are refused
        refused = len(server.bodies) % 3 != 0
        return failure(429, "slow down", retry_after="0.01") if refused else completion("ok")

    server.script = script
    client = client_of(server, concurrency=8, attempts=3)
    assert all_of(client, 20) == ["ok"] * 20
    assert len(server.bodies) == 60  # by chance alone, many a call meets three refusals


def test_an_endpoint_that_refuses_all_is_given_up_after_the_attempts(
    server: ScriptedServer,
) -> None:
    server.script = [failure(429, "slow down", retry_after="0.01")]
    error = error_of(client_of(server, attempts=3))
    assert "failed 3 times" in str(error)
    assert len(server.bodies) == 3


def test_requests_a_minute_space_the_calls_out(server: ScriptedServer) -> None:
    all_of(client_of(server, requests_per_minute=300), 4)  # one each 0.2 s
    assert server.times[3] - server.times[0] >= 0.45


@pytest.mark.parametrize(
    ("answer", "limited"),
    [
        (failure(429, "slow down"), True),
        (failure(503, "overloaded", retry_after="1"), True),
        (failure(503, "overloaded"), False),
        (failure(500, "boom", retry_after="1"), False),
    ],
)
def test_only_a_call_that_came_too_soon_is_limited(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, answer: Answer, limited: bool
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(RateLimiter, "note_refusal", lambda self, turn, wait: seen.append(wait))
    server.script = [answer, completion("now")]
    ask(client_of(server))
    assert bool(seen) == limited


def test_retry_after_reads_seconds_and_dates() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert retry_after({"Retry-After": "-3"}) == 0
    assert retry_after({"retry-after": later}, now) == 90
    assert retry_after({"retry-after": later}, now + timedelta(hours=1)) == 0
    no_dates = (
        "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
        "Fri, 1 Jan 2027 0:0:0 +99999999999",
    )
    for useless in ("", "soon", "nan", "inf", "1e999", *no_dates):
        assert retry_after({"retry-after": useless}) is None
    assert retry_after({}) is None


def test_asked_wait_is_found_on_whatever_link_has_it() -> None:
    class ProviderError(Exception):
        litellm_response_headers: ClassVar = {"retry-after": "7"}

    outer = RuntimeError("wrapped")
    outer.__cause__ = ProviderError("slow down")
    assert failure_of(outer, MODEL).wait == 7
    assert failure_of(RuntimeError("alone"), MODEL).wait is None


def test_back_off_doubles_with_drawn_jitter_and_repeats() -> None:
    waits = [back_off(attempt, 0.5, "salt") for attempt in range(1, 7)]
    assert waits == [back_off(attempt, 0.5, "salt") for attempt in range(1, 7)]
    for attempt, wait in enumerate(waits):
        assert 0.25 * 2**attempt <= wait <= 0.5 * 2**attempt
    assert len({back_off(1, 0.5, f"salt {number}") for number in range(50)}) == 50


@pytest.mark.parametrize("model", [MODEL, "gemini/own"])
@pytest.mark.parametrize(
    ("fault", "is_lost"),
    [
        (replace(completion("late"), delay=1.0), True),
        (replace(completion("cut"), cut=True), True),
        (Answer(body="no JSON"), True),
        (Answer(body="{}"), True),
        (failure(502, "bad gateway"), True),
        (failure(504, "gateway time-out"), True),
        (failure(500, "boom"), False),
        (failure(503, "overloaded"), False),
        (failure(429, "slow down", retry_after="0"), False),
    ],
    ids=["time-out", "cut", "no JSON", "nothing", "502", "504", "500", "503", "429"],
)
def test_attempts_whose_answer_is_lost_are_told_of(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    fault: Answer,
    is_lost: bool,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    server.script = [completion("first"), fault]
    # litellm imports so much at a model's first call that it would take the time-out.
    with suppress(EndpointDownError):
        loop.run(client_of(server, attempts=1).complete(request(model=model)))
    lost: list[bool] = []

    async def counted() -> Reply:
        with counting_lost_attempts(lost.append):
            client = client_of(server, timeout=0.5, attempts=2)
            return await client.complete(request(model=model))

    with pytest.raises(EndpointDownError):
        loop.run(counted())
    assert len(server.bodies) == 1 + 2
    assert lost == ([True, False] if is_lost else [])


def test_a_refused_connection_loses_no_answer() -> None:
    lost: list[bool] = []

    async def counted() -> Reply:
        settings = LiveSettings(api_base="http://127.0.0.1:9/v1", attempts=2, backoff=0.01)
        with counting_lost_attempts(lost.append):
            return await LiteLLMClient(settings).complete(request())

    with pytest.raises(EndpointDownError):
        loop.run(counted())
    assert lost == []


def test_a_refusal_is_an_answer_that_is_paid(server: ScriptedServer) -> None:
    server.script = [choice({"content": None, "refusal": "I won't"})]
    lost: list[bool] = []

    async def counted() -> Reply:
        with counting_lost_attempts(lost.append):
            return await client_of(server).complete(request())

    with pytest.raises(RefusalError):
        loop.run(counted())
    assert lost == [False]
