"""Errors of live calls: told at once, by their cause, without credentials."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from live_calls import KEY, MODEL, ask, client_of, error_of, request
from scripted_server import Answer, ScriptedServer, completion, failure

from pytest_mipro.errors import (
    ContextWindowError,
    EndpointError,
    MiproError,
    MissingKeyError,
    RefusalError,
    UnknownModelError,
    UnreachableError,
)
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings
from pytest_mipro.runtime.text.redaction import hide_secrets, one_line

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.parametrize(
    ("answer", "cause", "said"),
    [
        (failure(401, "bad key"), MissingKeyError, "bad key"),
        (failure(403, "not yours"), MissingKeyError, "not yours"),
        (failure(404, "no such model", "model_not_found"), UnknownModelError, MODEL),
        (failure(404, "no such page"), UnknownModelError, "correct the endpoint's address if you"),
        (failure(400, "temperature is wrong"), EndpointError, "temperature is wrong"),
        (failure(402, "pay first"), EndpointError, "pay first"),
        (failure(422, "what is this"), EndpointError, "what is this"),
        (failure(429, "exceeded", "insufficient_quota"), EndpointError, "quota"),
        (
            failure(400, "maximum context length is 8 tokens", "context_length_exceeded"),
            ContextWindowError,
            "8 tokens",
        ),
        (
            failure(429, "Request too large for m on tokens per min (TPM): Limit 3, Requested 4"),
            EndpointError,
            "Requested 4; raise the account's limit",
        ),
        (
            failure(413, "Request too large for m on tokens per minute (TPM): Limit 3"),
            EndpointError,
            "raise the account's limit",
        ),
        (failure(413, "Request too large for model m"), ContextWindowError, "fewer demos"),
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


def test_no_connection_is_told_without_a_status(server: ScriptedServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    error = error_of(client_of(server, api_base=base))
    assert isinstance(error, UnreachableError)
    assert "with 500" not in str(error)


def test_an_answer_that_is_no_json_is_told_as_that(server: ScriptedServer) -> None:
    server.script = lambda _body: Answer(body='{"id": "cut')
    error = error_of(client_of(server, attempts=2))
    assert "at last with an answer that is no JSON: " in str(error)


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
