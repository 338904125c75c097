"""The bodies of the chat-completions API: a request's JSON → model call → the answer's JSON."""

from __future__ import annotations

import json
from typing import Any

from pytest_mipro.errors import ConfigurationError, UnknownModelError
from pytest_mipro.runtime.client.attachments import read_parts
from pytest_mipro.runtime.client.contract import Message, Role
from pytest_mipro.simulated.client import PREFIX, count_tokens, cut, model_named
from pytest_mipro.simulated.language import noise
from pytest_mipro.simulated.model import MODELS
from pytest_mipro.simulated.serving.tools import folded, tool_calls

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "tool": "user",
    "assistant": "assistant",
}
Answer = tuple[int, dict[str, Any]]


def error(status: int, message: str, code: str) -> Answer:
    """Return (status, body) of an error, as OpenAI-compatible endpoints word it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return status, {"error": {"message": message, "type": kind, "param": None, "code": code}}


def models() -> dict[str, Any]:
    """Return the body of /v1/models."""
    names = [PREFIX + name for name in MODELS]
    data = [{"id": n, "object": "model", "created": 0, "owned_by": "simulated"} for n in names]
    return {"object": "list", "data": data}


def parsed(body: bytes) -> dict[str, Any]:
    """Return the request's JSON object; raises ConfigurationError that says what is wrong."""
    try:
        data = json.loads(body)
    except ValueError:
        raise ConfigurationError("the body is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("messages"), list):
        raise ConfigurationError("the body needs `model` and a list `messages`")
    if data.get("stream"):
        raise ConfigurationError("`stream` is not supported: leave it out")
    return data


def request_digest(data: dict[str, Any]) -> str:
    """Return a digest of everything in the request: equal for a retry of it."""
    return noise.digest(json.dumps(data, sort_keys=True))


def completion(data: dict[str, Any], sample: int) -> Answer:
    """Return (status, body) of a chat completion; `sample` counts where there is no seed."""
    try:
        model = model_named(str(data.get("model")))
        messages = [_message(part) for part in folded(data["messages"])]
    except UnknownModelError as unknown:
        return error(404, str(unknown), "model_not_found")
    except ConfigurationError as wrong:
        return error(400, str(wrong), "invalid_messages")
    seed = data.get("seed")
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if calls := tool_calls(data):
        text, finish = json.dumps(calls), "tool_calls"
        message["tool_calls"] = calls
    else:
        text = model.reply(messages, data, seed if isinstance(seed, int) else sample)
        text, finish = cut(text, data.get("max_completion_tokens") or data.get("max_tokens"))
        message["content"] = text
    given, written = sum(count_tokens(m.content) for m in messages), count_tokens(text)
    return 200, {
        "id": f"chatcmpl-{request_digest(data)[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": PREFIX + model.name,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": given,
            "completion_tokens": written,
            "total_tokens": given + written,
        },
    }


def _message(part: Any) -> Message:
    role = _ROLES.get(str(part.get("role"))) if isinstance(part, dict) else None
    if role is None:
        raise ConfigurationError(f"each message needs a `role`, one of: {', '.join(_ROLES)}")
    content = part.get("content")
    if isinstance(content, list):
        parts = read_parts(content)
        if parts is None:
            raise ConfigurationError("each content part needs a `text`, `image_url` or `file`")
        if not all(isinstance(each, str) for each in parts):
            return Message.of(role, parts)
        content = "".join(map(str, parts))
    if not isinstance(content, str):
        raise ConfigurationError("each message needs a `content` of text")
    return Message(role, content)
