"""Read what LM calls ask and answer, in OpenAI's, Anthropic's and Gemini's APIs and their kin."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_mipro.runtime.client.attachments import read_parts
from pytest_mipro.runtime.client.contract import Message, Role, Usage, known_usage
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, json_object, objects_in

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "assistant": "assistant"}
_CONTENT = ("messages", "input", "instructions", "system", "contents", "prompt")
_CALL = "function_call"
_LONG = 400
_LINE_END = re.compile(r"\r\n|\r|\n")
_BASE64 = re.compile(r"(?:data:[^,]*,)?[A-Za-z0-9+/=_-]+\Z")
# An object of these alone is a gateway's page of an error, in place of any API's reply.
_OF_PAGES = {
    *("code", "detail", "details", "error", "errors", "fault", "message", "path", "request_id"),
    *("requestId", "status", "statusCode", "status_code", "timestamp", "title", "trace", "type"),
}
_TOOL_STOPS = ("tool_use", "tool_calls", _CALL)
_STOPS = {
    **dict.fromkeys(("end_turn", "stop_sequence", *_TOOL_STOPS), "stop"),
    **dict.fromkeys(("completed", "STOP", "pause_turn"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "incomplete", "MAX_TOKENS"), "length"),
}


def messages_of(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the chat messages of a call, each as text; of embeddings, one message per text."""
    found = [
        Message("system", _text(body[name]))
        for name in ("system", "instructions")
        if body.get(name)
    ]
    turns = body.get("messages") or body.get("input") or body.get("contents") or body.get("prompt")
    for turn in turns if isinstance(turns, list) and not _is_tokens(turns) else [turns]:
        if isinstance(turn, dict):
            role = _ROLES.get(str(turn.get("role")), "user")
            content = turn.get("content")
            listed = content if isinstance(content, list) and not turn.get("tool_calls") else []
            parts = read_parts(listed)
            found.append(Message.of(role, parts) if parts else Message(role, _turn_text(turn)))
        elif turn is not None:
            found.append(Message("user", _text(turn)))
    return tuple(found)


def _is_tokens(prompt: list[Any]) -> bool:
    """Return whether a prompt is written in tokens: one text, not one for each number."""
    return bool(prompt) and all(type(token) is int for token in prompt)


def _prompts(prompt: Any) -> int:
    """Return how many prompts a list holds, 0 for what is no list of prompts."""
    return len(prompt) if isinstance(prompt, list) and not _is_tokens(prompt) else 0


def parameters_of(body: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Return the other fields of a call, its output limit under the name that budgets know."""
    parameters = {name: value for name, value in body.items() if name not in (*_CONTENT, "model")}
    if target.partition("?")[0].rstrip("/").endswith("/embeddings"):
        parameters["max_tokens"] = 0  # they write nothing
    elif (prompts := _prompts(body.get("prompt"))) > 0:
        choices = body.get("n")  # for each of them
        parameters["n"] = prompts * (choices if type(choices) is int else 1)
    elif "max_output_tokens" in body:
        parameters["max_tokens"] = body["max_output_tokens"]
    elif config := _object(body.get("generationConfig")):
        named = {"max_tokens": config.get("maxOutputTokens"), "n": config.get("candidateCount")}
        parameters |= {name: value for name, value in named.items() if value is not None}
    return parameters


def _turn_text(turn: Mapping[str, Any]) -> str:
    """Return a turn's content with its tool calls; a turn without content as JSON."""
    content = turn.get("content", turn.get("parts"))
    calls = turn.get("tool_calls")
    texts = [_text(content)] if content else []
    texts += [_text(calls)] if calls else []
    return "\n".join(texts) or _json(turn)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(part) for part in content)
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return str(content["text"])
    return _json(content)


def _json(value: Any) -> str:
    return json.dumps(_shortened(value), ensure_ascii=False, sort_keys=True)


def _shortened(value: Any) -> Any:
    """Return the value with what images and files are encoded in replaced by its size."""
    if isinstance(value, str) and len(value) > _LONG and _BASE64.match(value):
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"[{3 * len(value) / 4000:.1f} kB, {digest[:12]}]"
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Reading:
    """What an answer says: text and tool calls, usage, why it ended (`""`: it did not), the model.

    `calls_tool` tells that the model waits for what a tool gives, `known` that the answer has the
    form of a reply: an error page of a gateway has none.
    `error` is the text of an error in place of a reply, or of a stream that broke off.
    """

    text: str = ""
    usage: Usage = field(default_factory=Usage)
    finish_reason: str = "stop"
    model: str = ""
    error: str = ""
    calls_tool: bool = False
    known: bool = True


def read_answer(answer: HTTPAnswer) -> Reading:
    """Return what an answer with status 200 says; nothing of a format that is not known."""
    data = json_object(answer.body)
    if data is not None:
        return _whole(data)
    events = list(_events(answer.text))
    if events or "event-stream" in answer.headers.get("content-type", "").lower():
        return _streamed(events, done="data: [DONE]" in answer.text)
    listed = _listed(answer.text)
    if listed is None:
        return Reading(known=False)
    return replace(_streamed(listed, done=True), known=True)


def _listed(text: str) -> list[dict[str, Any]] | None:
    """Return the objects of a JSON list, or of lines of JSON; None where a text is neither.

    So Gemini streams unless asked for another form, and some gateways.
    """
    for listed in (text, f"[{','.join(_LINE_END.split(text.strip()))}]"):
        with suppress(ValueError, RecursionError):
            if text.strip():
                return objects_in(json.loads(listed))
    return None


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in _LINE_END.split(text):  # of a stream, not of Unicode: JSON may hold U+2028
        if line.startswith("data:") and (data := json_object(line[5:])) is not None:
            yield data


def _whole(data: Mapping[str, Any]) -> Reading:
    if isinstance(data.get("response"), dict) and "output" in data["response"]:
        data = data["response"]
    if data.get("error") and not (data.get("choices") or data.get("output")):
        return Reading(error=_error_text(data["error"]))
    choice = _first(data.get("choices"))
    message = _object(choice.get("message"))
    texts = [
        message.get("content") or choice.get("text"),
        *_parts(message.get("tool_calls")),
        *_parts(data.get("content")),
        *(part for item in objects_in(data.get("output")) for part in _output_parts(item)),
        *_gemini_parts(data),
    ]
    why = choice.get("finish_reason") or data.get("stop_reason") or _gemini_end(data)
    why = why or (data.get("status") if "output" in data else None) or "stop"
    usage = _object(data.get("usage")) or _object(data.get("usageMetadata"))
    return Reading(
        "\n".join(_text(part) for part in texts if part),
        _usage(usage),
        _STOPS.get(str(why), str(why)),
        str(data.get("model") or ""),
        calls_tool=why in _TOOL_STOPS or any(map(_is_tool_call, texts)),
        known=data.get("choices") != [] and not data.keys() <= _OF_PAGES,
    )


def _streamed(events: Sequence[Mapping[str, Any]], *, done: bool) -> Reading:
    """Return what the events of a stream say together."""
    text: list[str] = []
    usage: dict[str, Any] = {}
    model, why, calls_tool = "", "", False
    for event in events:
        if event.get("error") and not event.get("choices"):
            return Reading(error=_error_text(event["error"]))
        inner = _object(event.get("response") or event.get("message"))
        if inner and event.get("type") in _LAST_OF_RESPONSES:
            return _whole(inner)
        model = str(event.get("model") or inner.get("model") or model)
        for source in (inner, event):
            counts = _object(source.get("usage")) or _object(source.get("usageMetadata"))
            usage |= {k: v for k, v in counts.items() if v is not None}
        choice, delta = _first(event.get("choices")), event.get("delta")
        delta = delta if isinstance(delta, dict) else {"text": delta} if delta else {}
        chunk = _object(choice.get("delta"))
        text += [str(p) for p in (chunk.get("content"), choice.get("text")) if p]
        text += [
            str(_object(c.get("function")).get(n) or "")
            for c in objects_in(chunk.get("tool_calls"))
            for n in ("name", "arguments")
        ]
        text += [str(delta[name]) for name in ("text", "partial_json") if delta.get(name)]
        text += map(_text, _gemini_parts(event))
        calls_tool = calls_tool or any(map(_is_tool_call, _gemini_parts(event)))
        why = str(
            choice.get("finish_reason") or delta.get("stop_reason") or _gemini_end(event) or why
        )
    if events and not (why or done):
        return Reading(error="the stream ended before its last event")
    return Reading(
        "".join(text),
        _usage(usage),
        _STOPS.get(why, why or "stop"),
        model,
        calls_tool=why in _TOOL_STOPS or calls_tool,
        known=bool(events),
    )


_LAST_OF_RESPONSES = ("response.completed", "response.incomplete", "response.failed")


def _usage(told: Mapping[str, Any]) -> Usage:
    """Return the usage by any of the names that it has; cached prompt tokens count too."""
    prompt = told.get("prompt_tokens", told.get("promptTokenCount"))
    if prompt is None and "input_tokens" in told:
        extra = (told.get(f"cache_{what}_input_tokens") for what in ("creation", "read"))
        prompt = sum(count for count in (told["input_tokens"], *extra) if type(count) is int)
    written = told.get(
        "completion_tokens", told.get("output_tokens", told.get("candidatesTokenCount"))
    )
    return known_usage(prompt, written)


def _error_text(error: Any) -> str:
    return str(error.get("message") or _json(error)) if isinstance(error, dict) else str(error)


def _gemini_end(data: Mapping[str, Any]) -> Any:
    return _first(data.get("candidates")).get("finishReason")


def _gemini_parts(data: Mapping[str, Any]) -> list[Any]:
    contents = (_object(each.get("content")) for each in objects_in(data.get("candidates")))
    return [part for content in contents for part in _parts(content.get("parts"))]


def _is_tool_call(part: Any) -> bool:
    """Return whether a part of Gemini's or the Responses API calls a tool: no reason says so."""
    return isinstance(part, dict) and ("functionCall" in part or part.get("type") == _CALL)


def _parts(content: Any) -> list[Any]:
    return [part for part in content if part] if isinstance(content, list) else []


def _output_parts(item: Mapping[str, Any]) -> list[Any]:
    """Return the texts of an item of the Responses API; a call of a tool is a part itself."""
    if item.get("type") == "message":
        return _parts(item.get("content"))
    return [dict(item)] if item.get("type") == _CALL else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(value: Any) -> dict[str, Any]:
    return next(iter(objects_in(value)), {})
