"""Live calls against a scripted loopback endpoint: replies, retries, error causes, secrets."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from scripted_server import Answer, ScriptedServer, completion, failure

from pytest_mipro.errors import (
    ConfigurationError,
    ContextWindowError,
    EndpointDownError,
    EndpointError,
    MiproError,
    MissingKeyError,
    RefusalError,
    UnknownModelError,
)
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import (
    Message,
    Reply,
    Request,
    ScriptedClient,
    Usage,
    known_cost,
    known_usage,
    samples_at_0,
)
from pytest_mipro.runtime.client.litellm_client import LiteLLMClient, LiveSettings
from pytest_mipro.runtime.client.live_errors import failure_of
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.client.rate_limit import RateLimiter
from pytest_mipro.runtime.client.retry import back_off, counting_lost_attempts, retry_after
from pytest_mipro.runtime.client.wrappers import BoundedClient
from pytest_mipro.runtime.text.redaction import hide_secrets, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "test-key-2f8a91c04b"
MODEL = "openai/gpt-4o-mini"
SCHEMA = {"type": "object", "properties": {"queue": {"type": "string"}}}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield
    loop.run(LiteLLMClient().aclose())


def request(text: str = "hi", model: str = MODEL, **changes: Any) -> Request:
    return Request(model, (Message("user", text),), **changes)


def client_of(server: ScriptedServer, **changes: Any) -> LiteLLMClient:
    settings = {"timeout": 5.0, "backoff": 0.01, "api_base": server.base, **changes}
    return LiteLLMClient(LiveSettings(**settings))


def ask(client: LiteLLMClient, asked: Request | None = None) -> Reply:
    return loop.run(client.complete(asked or request()))


def error_of(client: LiteLLMClient, asked: Request | None = None) -> MiproError:
    with pytest.raises(MiproError) as caught:
        ask(client, asked)
    return caught.value


def test_reply_has_text_usage_cost_and_served_model(server: ScriptedServer) -> None:
    server.script = [completion("Grüße 🙂\u0000\ud800", finish_reason="length")]
    reply = ask(client_of(server), request(parameters={"temperature": 0, "max_tokens": 7}))
    assert reply.text == "Grüße 🙂\u0000\ud800"
    assert reply.usage == Usage(11, 3)
    assert reply.cost == pytest.approx(11 * 0.15e-6 + 3 * 0.6e-6)
    assert (reply.finish_reason, reply.model, reply.cached) == ("length", "served-1", False)
    assert reply.latency > 0
    assert server.bodies == [
        {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": "hi"}],
            "temperature": 0,
            "max_tokens": 7,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("model", "room"), [("gpt-4o-mini", 4_000), ("o3", 16_000)])
def test_a_reply_is_limited_where_nobody_limits_it(
    server: ScriptedServer, model: str, room: int
) -> None:
    ask(client_of(server), request(model=model))
    (body,) = server.bodies
    assert body.get("max_tokens", body.get("max_completion_tokens")) == room
    ask(client_of(server), request(model=model, parameters={"max_completion_tokens": 9}))
    assert "max_tokens" not in server.bodies[1]
    assert server.bodies[1]["max_completion_tokens"] == 9


def test_a_window_that_does_not_hold_the_default_limit_gets_none(server: ScriptedServer) -> None:
    full = failure(400, "maximum context length is 4096 tokens", "context_length_exceeded")
    server.script = [full, completion("a"), completion("b")]
    client = client_of(server)
    assert ask(client, request(model="openai/local")).text == "a"
    assert ask(client, request(model="openai/local")).text == "b"
    assert ["max_tokens" in body for body in server.bodies] == [True, False, False]


def test_cost_of_unknown_models_is_none(server: ScriptedServer) -> None:
    assert ask(client_of(server), request(model="openai/local")).cost is None


def test_prices_are_those_of_litellms_table(server: ScriptedServer) -> None:
    client = client_of(server)
    assert client.price("openai/local") is None
    known = client.price("gpt-4o-mini")
    assert known is not None
    assert 0 < known.prompt < known.completion < 10


def test_a_price_that_is_not_known_is_looked_for_once(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, local = client_of(server), request(model="openai/local")
    assert ask(client, local).cost is None
    looked: list[str] = []
    monkeypatch.setattr("litellm.completion_cost", lambda **given: looked.append(given["model"]))
    assert ask(client, local).cost is None
    assert not looked
    assert ask(client).cost == pytest.approx(11 * 0.15e-6 + 3 * 0.6e-6)


def test_schema_goes_along_only_where_the_model_takes_it(server: ScriptedServer) -> None:
    client = client_of(server)
    ask(client, request(response_schema=SCHEMA))
    ask(client, request(model="openai/local", response_schema=SCHEMA))
    wanted = server.bodies[0]["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"] == SCHEMA
    assert "response_format" not in server.bodies[1]


def test_reply_without_text_is_empty(server: ScriptedServer) -> None:
    server.script = [completion(None, finish_reason="length", usage=None)]
    reply = ask(client_of(server))
    assert (reply.text, reply.finish_reason) == ("", "length")


def choice(message: dict[str, Any], finish_reason: str = "stop", **fields: Any) -> Answer:
    body = json.loads(completion("").body)
    message = {"role": "assistant", **message}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": finish_reason, **fields}]
    return Answer(body=json.dumps(body))


CALL = {"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}


@pytest.mark.parametrize(
    "fault",
    [
        choice({"content": None}),
        choice({}),
        choice({"content": "", "reasoning_content": "hm"}),
        choice({"content": None, "reasoning": "hm"}),
        choice({"content": "so far"}, "error"),
        choice({"content": ""}, error={"code": 502, "message": "the provider is down"}),
    ],
)
def test_an_answer_without_a_reply_is_a_fault_of_the_endpoint(
    server: ScriptedServer, fault: Answer
) -> None:
    server.script = [fault, completion("now")]
    assert ask(client_of(server)).text == "now"
    server.script = [fault]
    assert isinstance(error_of(client_of(server, attempts=2)), EndpointDownError)


@pytest.mark.parametrize(
    "reply",
    [
        choice({"content": ""}),
        choice({"content": None, "tool_calls": [CALL]}, "tool_calls"),
        choice({"content": None, "reasoning": "hm"}, "length"),
    ],
)
def test_an_empty_reply_is_the_model_s(server: ScriptedServer, reply: Answer) -> None:
    server.script = [reply]
    assert ask(client_of(server)).text == ""
    assert len(server.bodies) == 1


@pytest.mark.parametrize("prompt", [-1, 10**30, 10**400])
def test_a_usage_that_can_not_be_is_unknown(server: ScriptedServer, prompt: int) -> None:
    usage = {"prompt_tokens": prompt, "completion_tokens": 3, "total_tokens": 4}
    server.script = [completion("hello", usage=usage)]
    try:
        reply = ask(client_of(server, attempts=1))
    except EndpointDownError:  # litellm refuses some of them
        return
    assert reply.usage == Usage()
    assert reply.cost is None or reply.cost >= 0


@pytest.mark.parametrize("count", [-1, 10**30, "many", 1.5, True, math.nan])
def test_only_counts_and_amounts_are_known(count: object) -> None:
    assert known_usage(count, 3) == known_usage(3, count) == Usage()
    assert known_usage(None, 3) == Usage(0, 3)
    assert known_cost(0.25) == 0.25
    assert [known_cost(cost) for cost in (-1, math.inf, math.nan, "1", None)] == [None] * 5


@pytest.mark.parametrize(
    ("model", "samples"),
    [
        *(("openai/o3-mini", True), ("gpt-5-mini", True), ("azure/gpt-5", True)),
        *(("openai/gpt-4o-mini", False), ("anthropic/claude-3-5-haiku-latest", False)),
        *(("openai/own-model", False), ("nowhere", False)),
    ],
)
def test_models_that_take_no_temperature_are_known(model: str, samples: bool) -> None:
    client = ProviderClient(LiveSettings())
    assert samples_at_0(BoundedClient(client, 1), model) is samples
    assert not samples_at_0(ScriptedClient(["x"]), model)


def test_private_parameters_are_sent(server: ScriptedServer) -> None:
    asked = Request(MODEL, request().messages, {"user": "private:1"}, private={"user": "me"})
    ask(client_of(server), asked)
    assert server.bodies[0]["user"] == "me"


def test_an_error_shows_no_private_parameter(server: ScriptedServer) -> None:
    private = {"extra_body": {"tenants": ["desk-7f3a9c2e-eu"]}}
    server.script = [failure(400, "desk-7f3a9c2e-eu is no tenant")]
    asked = Request(MODEL, request().messages, {"extra_body": "private:1"}, private=private)
    assert "[hidden] is no tenant" in str(error_of(client_of(server), asked))


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


@pytest.mark.parametrize(
    ("answer", "cause", "said"),
    [
        (failure(401, "bad key"), MissingKeyError, "bad key"),
        (failure(403, "not yours"), MissingKeyError, "not yours"),
        (failure(404, "no such model", "model_not_found"), UnknownModelError, MODEL),
        (failure(400, "temperature is wrong"), EndpointError, "temperature is wrong"),
        (failure(402, "pay first"), EndpointError, "pay first"),
        (failure(422, "what is this"), EndpointError, "what is this"),
        (failure(429, "exceeded", "insufficient_quota"), EndpointError, "quota"),
        (
            failure(400, "maximum context length is 8 tokens", "context_length_exceeded"),
            ContextWindowError,
            "8 tokens",
        ),
        (failure(400, "filtered", "content_filter"), RefusalError, "filtered"),
        (completion(None, finish_reason="content_filter"), RefusalError, "refused"),
    ],
)
def test_other_errors_are_told_at_once(
    server: ScriptedServer, answer: Answer, cause: type[MiproError], said: str
) -> None:
    server.script = [answer]
    error = error_of(client_of(server), request(parameters={"max_tokens": 9}))
    assert type(error) is cause
    assert said in str(error)
    assert "\n" not in str(error)
    assert len(server.bodies) == 1


def test_long_error_texts_are_bounded_to_a_line(server: ScriptedServer) -> None:
    server.script = [failure(400, "wrong\n" * 5000)]
    text = str(error_of(client_of(server)))
    assert len(text) < 500
    assert "\n" not in text


@pytest.mark.parametrize("model", ["no-such-model", "nonsense/model", "", "/"])
def test_unknown_model_is_told_before_any_call(model: str) -> None:
    client = LiteLLMClient(LiveSettings(attempts=1))
    error = error_of(client, request(model=model))
    assert isinstance(error, UnknownModelError)
    assert repr(model) in str(error)
    assert "provider/model" in str(error)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        (MODEL, "OPENAI_API_KEY"),
        ("anthropic/claude-3-5-haiku-latest", "ANTHROPIC_API_KEY"),
        ("groq/llama-3.1-8b-instant", "GROQ_API_KEY"),
    ],
)
@pytest.mark.parametrize("empty", [True, False])
def test_missing_key_is_told_before_any_call(
    monkeypatch: pytest.MonkeyPatch, model: str, variable: str, empty: bool
) -> None:
    if empty:
        monkeypatch.setenv(variable, "")
    else:
        monkeypatch.delenv(variable, raising=False)
    started = time.monotonic()
    error = error_of(LiteLLMClient(), request(model=model))
    assert isinstance(error, MissingKeyError)
    assert variable in str(error)
    assert model in str(error)
    assert time.monotonic() - started < 10


def test_own_endpoint_needs_no_key(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert ask(client_of(server)).text == "hello"
    monkeypatch.setenv("OPENAI_BASE_URL", server.base)
    assert ask(LiteLLMClient()).text == "hello"
    server.script = [failure(401, "key wanted")]
    assert isinstance(error_of(client_of(server)), MissingKeyError)


def test_echoed_credentials_are_hidden(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    monkeypatch.setenv("OTHER_SECRET", "s3cr3t/valü+e")
    base = server.base.replace("://", "://john:hunter%40two@")
    server.script = lambda _body: failure(
        400, f"{KEY} for john:hunter@two at {base} s3cr3t/valü+e " + "Bearer abcdefgh12345"
    )
    text = str(error_of(client_of(server, api_base=base)))
    for secret in (KEY, "john", "hunter", "s3cr3t", "abcdefgh"):
        assert secret not in text
    assert "[hidden]" in text
    assert server.headers[0]["authorization"].startswith("Basic ")


def test_redaction_leaves_ordinary_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONKEY", "banana")
    monkeypatch.setenv("SHORT_KEY", "a")
    monkeypatch.setenv("LONG_API_KEY", "banana-split7")
    monkeypatch.setenv("PART_TOKEN", "banana-")
    assert hide_secrets("a banana, banana-split7") == "a banana, [hidden]"
    assert hide_secrets("at http://a:b@host/") == "at http://[hidden]@host/"
    assert hide_secrets("https://x/?api_key=12345&a=1") == "https://x/?api_key=[hidden]&a=1"
    assert one_line("a\n b\x1b[0m") == "a b\ufffd[0m"


def test_calls_in_work_are_bounded(server: ScriptedServer) -> None:
    server.script = [Answer(body=completion("x").body, delay=0.05)]
    client = client_of(server, concurrency=3)

    async def many() -> None:
        await asyncio.gather(*(client.complete(request(str(number))) for number in range(12)))

    loop.run(many())
    assert server.most_at_once == 3
    assert len(server.bodies) == 12


def test_client_can_be_used_by_another_after_close(server: ScriptedServer) -> None:
    first = client_of(server)
    ask(first)
    loop.run(first.aclose())
    loop.run(first.aclose())
    assert ask(client_of(server)).text == "hello"


def test_endpoint_digest_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(base: str) -> str:
        return LiteLLMClient(LiveSettings(api_base=base)).endpoint(MODEL)

    plain = digest("http://host:1/v1")
    assert len(plain) == 12
    assert int(plain, 16) >= 0
    assert plain == digest("http://user:pass@HOST:1/v1/?key=1#x")
    assert plain != digest("http://host:2/v1")
    assert plain != digest("http://host:1/v2")
    assert LiteLLMClient().endpoint(MODEL) == ""
    monkeypatch.setenv("OPENAI_API_BASE", "http://host:1/v1")
    assert LiteLLMClient().endpoint(MODEL) == plain
    assert LiteLLMClient().endpoint("gpt-4o") == plain
    assert LiteLLMClient().endpoint("anthropic/claude-3-5-haiku-latest") == ""
    assert LiteLLMClient().endpoint("claude-3-5-haiku-latest") == ""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://host:2/v1")
    assert LiteLLMClient().endpoint(MODEL) == digest("http://host:2/v1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"attempts": 0},
        {"requests_per_minute": 0},
        {"requests_per_minute": float("nan")},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"api_base": "localhost:8000"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=str(next(iter(wrong)))):
        LiveSettings(**wrong)


def test_a_wrong_base_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    error = error_of(LiteLLMClient())
    assert isinstance(error, EndpointError)
    assert "OPENAI_BASE_URL" in str(error)


def test_process_that_made_a_call_ends_without_warnings(server: ScriptedServer) -> None:
    code = f"""
import gc
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request, known_cost, known_usage
from pytest_mipro.runtime.client.litellm_client import LiteLLMClient, LiveSettings
client = LiteLLMClient(LiveSettings(api_base={server.base!r}))
print(loop.run(client.complete(Request({MODEL!r}, (Message("user", "hi"),)))).text)
loop.run(client.aclose())
del client
gc.unfreeze()
gc.collect()
"""
    command = [sys.executable, "-W", "error::ResourceWarning", "-W", "error::RuntimeWarning"]
    done = subprocess.run([*command, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_runtime_imports_neither_litellm_nor_optuna_nor_pytest() -> None:
    code = """
import importlib, pkgutil, sys
import pytest_mipro.runtime as runtime
heavy = {"cache_store", "json_disk"}  # imported when a cache is opened
for module in pkgutil.iter_modules(runtime.__path__):
    if module.name not in heavy:
        importlib.import_module(f"pytest_mipro.runtime.{module.name}")
from pytest_mipro.runtime.client.providers import ProviderClient
ProviderClient().endpoint("openai/gpt-4o-mini")
unwanted = {"litellm", "optuna", "pytest", "_pytest", "openai", "diskcache"}
print(sorted(unwanted & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "model", [MODEL, "anthropic/claude-3-haiku-20240307", "gemini/own", "azure/gpt-4o"]
)
def test_a_redirect_to_another_origin_carries_no_key(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, model: str, status: int
) -> None:
    for provider in ("ANTHROPIC", "GEMINI", "AZURE"):
        monkeypatch.setenv(f"{provider}_API_KEY", KEY)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    other = ScriptedServer()
    try:
        server.script = [Answer(status, "{}", {"location": f"{other.base}/elsewhere?key={KEY}"})]
        error = error_of(client_of(server), request(model=model))
    finally:
        other.close()
    assert (len(server.bodies), other.headers) == (1, [])
    assert isinstance(error, EndpointError)
    assert f"redirects the call from {server.base[:-3]} to {other.base[:-3]}" in str(error)
    assert KEY not in str(error)
    assert "\n" not in str(error)


def test_a_redirect_within_the_origin_is_followed(server: ScriptedServer) -> None:
    server.script = [Answer(307, "{}", {"location": "/v1/there"}), completion("there")]
    assert ask(client_of(server)).text == "there"


def test_redirects_of_other_clients_are_left_alone(server: ScriptedServer) -> None:
    import httpx  # noqa: PLC0415 - as in the package

    ask(client_of(server))
    other = ScriptedServer()
    try:
        server.script = [Answer(307, "{}", {"location": f"{other.base}/elsewhere"})]
        done = httpx.post(f"{server.base}/x", json={}, follow_redirects=True)
    finally:
        other.close()
    assert done.status_code == 200
    assert len(other.bodies) == 1
