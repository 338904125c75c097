"""The contract of all clients: one suite that every implementation of LMClient passes."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.errors import InfrastructureError, ProgramError, UnknownModelError
from pytest_mipro.plugin.replies.circuit_breaker import BreakerClient
from pytest_mipro.plugin.replies.recording import RecordingClient, TrackingClient
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop, providers
from pytest_mipro.runtime.client.contract import LMClient, Message, Reply, Request, ScriptedClient
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReplies, recorded
from pytest_mipro.simulated.client import SimulatedClient
from pytest_mipro.simulated.serving.server import ServerOptions, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIMULATED = "simulated/small"
NOTHING = RecordedReplies("desk.replies.jsonl")
AWKWARD = "Grüße 🙂 \u2028 \u0000 {{x}}\r\n\tSystem: a: [b] \x1b[0m"


@dataclass(frozen=True)
class Subject:
    """One client under the suite, a model it serves, and one that nobody serves."""

    client: LMClient
    model: str
    unknown: str | None = None


def echo(request: Request) -> str:
    return f"{request.messages[-1].content} ({request.sample})"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(ServerOptions(api_key="")) as server:
        yield server.url


@pytest.fixture(
    params=[
        *("scripted", "simulated", "cached", "cached simulated", "litellm", "provider", "routed"),
        *("recorded", "recorded simulated", "recording", "noting", "breaker"),
    ]
)
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    live = LiveSettings(api_base=url, timeout=10, attempts=2, backoff=0.01)
    served, unknown = "openai/" + SIMULATED, "nobody/nothing"
    if request.param == "scripted":
        subject = Subject(ScriptedClient(echo), "m")
    elif request.param == "simulated":
        subject = Subject(SimulatedClient(), SIMULATED, "simulated/nothing")
    elif request.param == "cached":
        subject = Subject(CachedClient(ScriptedClient(echo), tmp_path / "cache"), "m")
    elif request.param == "cached simulated":
        cached = CachedClient(SimulatedClient(), tmp_path / "cache")
        subject = Subject(cached, SIMULATED, "simulated/nothing")
    elif request.param == "recorded":
        subject = Subject(RecordedClient(NOTHING, ScriptedClient(echo)), "m")
    elif request.param in ("recorded simulated", "breaker"):
        inner = SimulatedClient()
        of_breaker = request.param == "breaker"
        client = BreakerClient(inner) if of_breaker else RecordedClient(NOTHING, inner)
        subject = Subject(client, SIMULATED, "simulated/nothing")
    elif request.param == "recording":
        cached = CachedClient(SimulatedClient(), tmp_path / "cache")
        recording = RecordingClient(cached, NOTHING, lambda text: text)
        subject = Subject(recording, SIMULATED, "simulated/nothing")
    elif request.param == "noting":
        subject = Subject(TrackingClient(ScriptedClient(echo), keep=True), "m")
    elif request.param == "litellm":
        subject = Subject(LiteLLMClient(live), served, unknown)
    elif request.param == "provider":
        subject = Subject(ProviderClient(live), SIMULATED, "simulated/nothing")
    else:
        subject = Subject(ProviderClient(live), served, unknown)
    yield subject
    loop.run(subject.client.aclose())


def asked(subject: Subject, text: str = "hello there", **changes: Any) -> Request:
    messages = (Message("system", "Reply to the message."), Message("user", text))
    return replace(Request(subject.model, messages, {"temperature": 0}), **changes)


def ask(subject: Subject, request: Request) -> Reply:
    return loop.run(subject.client.complete(request))


def test_is_an_lm_client(subject: Subject) -> None:
    assert isinstance(subject.client, LMClient)


def test_same_request_gets_the_same_reply(subject: Subject) -> None:
    first, again = ask(subject, asked(subject)), ask(subject, asked(subject))
    assert first.text
    assert (first.text, first.usage, first.cost, first.finish_reason, first.model) == (
        *(again.text, again.usage, again.cost, again.finish_reason, again.model),
    )


def test_reply_is_complete(subject: Subject) -> None:
    reply = ask(subject, asked(subject))
    for tokens in (reply.usage.prompt_tokens, reply.usage.completion_tokens):
        assert type(tokens) is int
        assert tokens > 0
    assert type(reply.text) is str
    assert reply.cost is None or reply.cost >= 0
    assert reply.latency >= 0
    assert reply.cached is False
    assert reply.finish_reason == "stop"
    assert reply.model


def test_concurrent_requests_get_their_own_replies(subject: Subject) -> None:
    requests = [asked(subject, f"message {number % 8}") for number in range(32)]

    async def together() -> list[Reply]:
        return await asyncio.gather(*(subject.client.complete(one) for one in requests))

    replies = loop.run(together())
    alone = [ask(subject, one).text for one in requests]
    assert [reply.text for reply in replies] == alone


def test_awkward_text_is_taken_as_it_is(subject: Subject) -> None:
    plain = ask(subject, asked(subject, AWKWARD))
    assert type(plain.text) is str
    json.dumps(plain.text)
    assert ask(subject, asked(subject, AWKWARD)).text == plain.text


def test_a_replayed_reply_is_the_recorded_one(subject: Subject) -> None:
    request = asked(subject)
    reply = ask(subject, request)
    replies = RecordedReplies("f", [recorded("case", "module", request, reply)])
    again = loop.run(RecordedClient(replies).complete(request))
    assert again == replace(reply, cached=True, latency=0.0, asked=again.asked)
    assert 0 <= reply.asked - again.asked < 86_400


@pytest.mark.parametrize("text", [AWKWARD, "half a pair \ud800", "\udc80"])
def test_text_comes_back_as_it_was_sent(tmp_path: Path, text: str) -> None:
    client = CachedClient(ScriptedClient(lambda _: text), tmp_path)
    request = Request("m", (Message("user", "hi"),))
    for _ in range(2):
        assert loop.run(client.complete(request)).text == text
    loop.run(client.aclose())


def test_unknown_model_is_an_error_of_the_package(subject: Subject) -> None:
    if subject.unknown is None:  # a script serves every model
        assert ask(subject, asked(subject, model="nobody/nothing")).text == "hello there (0)"
        return
    with pytest.raises((ProgramError, InfrastructureError)) as caught:
        ask(subject, asked(subject, model=subject.unknown))
    assert isinstance(caught.value, UnknownModelError)
    assert subject.unknown in str(caught.value)
    assert "\n" not in str(caught.value)


def test_endpoint_is_a_digest(subject: Subject) -> None:
    digest = subject.client.endpoint(subject.model)
    assert digest == subject.client.endpoint(subject.model)
    assert re.fullmatch(r"[0-9a-f]{12}|", digest)


def test_close_may_come_twice_and_without_use(subject: Subject) -> None:
    loop.run(subject.client.aclose())
    loop.run(subject.client.aclose())


def test_endpoint_has_no_credentials() -> None:
    def digest(base: str) -> str:
        return ProviderClient(LiveSettings(api_base=base)).endpoint("openai/m")

    plain = digest("http://127.0.0.1:1/v1")
    assert plain
    assert plain == digest("http://user:hunter2@127.0.0.1:1/v1?key=hunter2")
    assert plain != digest("http://127.0.0.1:2/v1")


def test_both_mounts_of_a_simulated_model_reply_alike(url: str) -> None:
    request = Request(SIMULATED, (Message("user", "hello there"),), {"temperature": 0})
    live = LiteLLMClient(LiveSettings(api_base=url))
    over_http = loop.run(live.complete(replace(request, model="openai/" + SIMULATED)))
    assert over_http.text == loop.run(SimulatedClient().complete(request)).text
    loop.run(live.aclose())


# Routing


class Other(ScriptedClient):
    closed = 0

    def __init__(self) -> None:
        super().__init__(echo)

    async def aclose(self) -> None:
        Other.closed += 1


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("no\nway")


class Foreign:
    pass


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    group = {
        name: EntryPoint(name.lower(), f"{__name__}:{name}", providers.GROUP)
        for name in ("Other", "Broken", "Foreign", "Absent")
    }
    monkeypatch.setattr(
        providers, "_entries", lambda: {name.lower(): entry for name, entry in group.items()}
    )
    monkeypatch.setattr(Other, "closed", 0)


@pytest.mark.usefixtures("registered")
def test_prefix_decides_who_serves() -> None:
    client = ProviderClient()
    request = Request("other/m", (Message("user", "hi"),))
    assert loop.run(client.complete(request)).text == "hi (0)"
    assert loop.run(client.complete(replace(request, sample=2))).text == "hi (2)"
    loop.run(client.aclose())
    assert Other.closed == 1
    with pytest.raises(UnknownModelError):  # without the slash it is no prefix
        loop.run(client.complete(replace(request, model="other")))


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["broken", "foreign", "absent"])
def test_provider_that_cannot_serve_is_named(name: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        loop.run(ProviderClient().complete(Request(f"{name}/m", (Message("user", "hi"),))))
    assert f"{name}/m" in str(caught.value)
    assert name.title() in str(caught.value)
    assert "\n" not in str(caught.value)
