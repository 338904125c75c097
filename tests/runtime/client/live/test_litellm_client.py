"""Live calls against a scripted loopback endpoint: requests, replies, settings."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest
from live_calls import KEY, MODEL, ask, choice, client_of, error_of, request
from scripted_server import Answer, ScriptedServer, completion, failure

from pytest_mipro.errors import ConfigurationError, EndpointDownError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import (
    Request,
    ScriptedClient,
    Usage,
    known_cost,
    known_usage,
    samples_at_0,
)
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.client.wrappers import BoundedClient

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("environment")
SCHEMA = {"type": "object", "properties": {"queue": {"type": "string"}}}


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
    no_amounts = (-1, math.inf, math.nan, "1", None, 1e300, 10**400)
    assert {known_cost(cost) for cost in no_amounts} == {None}


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
