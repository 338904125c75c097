"""Live calls to a scripted endpoint on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from scripted_server import Answer, ScriptedServer, completion

from pytest_mipro.errors import MiproError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings

if TYPE_CHECKING:
    pass

KEY = "test-key-2f8a91c04b"
MODEL = "openai/gpt-4o-mini"


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


def choice(message: dict[str, Any], finish_reason: str = "stop", **fields: Any) -> Answer:
    body = json.loads(completion("").body)
    message = {"role": "assistant", **message}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": finish_reason, **fields}]
    return Answer(body=json.dumps(body))
