"""Read what LM calls answer, in OpenAI's, Anthropic's and Gemini's APIs and their kin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_mipro.runtime.client.contract import Usage, known_usage
from pytest_mipro.runtime.own_calls.apis.content_text import content_text, json_text
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, json_object, objects_in

_CALL = "function_call"
_LINE_END = re.compile(r"\r\n|\r|\n")
# An object of these alone is a gateway's page of an error, in place of any API's reply.
_OF_PAGES = {
    *("code", "detail", "details", "error", "errors", "fault", "message", "path", "request_id"),
    *("requestId", "status", "statusCode", "status_code", "timestamp", "title", "trace", "type"),
}
_OF_STREAMS = {"candidates", "choices", "delta", "message", "response"}
_ENDS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "finishReason")
_ASIDES = {"thinking", "reasoningContent", "executableCode", "codeExecutionResult"}
_TOOL_STOPS = ("tool_use", "tool_calls", "TOOL_CALL", _CALL)
_STOPS = {
    **dict.fromkeys(("end_turn", "stop_sequence", *_TOOL_STOPS), "stop"),
    **dict.fromkeys(("completed", "STOP", "pause_turn", "COMPLETE", "STOP_SEQUENCE"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "incomplete", "MAX_TOKENS"), "length"),
}
# What counts together, by the names of one API a line.
_PROMPT = (
    ("prompt_tokens",),
    ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    ("promptTokenCount", "toolUsePromptTokenCount"),
    ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
    ("prompt_eval_count",),
)
_WRITTEN = (
    ("completion_tokens",),
    ("output_tokens",),
    ("candidatesTokenCount", "thoughtsTokenCount"),
    ("outputTokens",),
    ("eval_count",),
)


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
    ended = not listed or listed[-1].get("done") is not False  # as Ollama tells
    return replace(_streamed(listed, done=ended), known=True)


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
    held = choice or (data if "message" in data else _object(data.get("output")))
    message = _object(held.get("message"))
    texts = [
        *_said(message.get("content") or message.get("refusal")),
        *_said(choice.get("text") or _written(data)),
        *_parts(message.get("tool_calls")),
        *(part for item in objects_in(data.get("output")) for part in _output_parts(item)),
        *_gemini_parts(data),
    ]
    why = _end(choice, data, _first(data.get("candidates")))
    why = why or (data.get("status") if "output" in data else None) or "stop"
    return Reading(
        "\n".join(content_text(part) for part in texts),
        _usage(_counts(data)),
        _STOPS.get(str(why), str(why)),
        str(data.get("model") or ""),
        calls_tool=why in _TOOL_STOPS
        or bool(message.get("tool_calls"))
        or any(map(_is_tool_call, texts)),
        known=data.get("choices") != [] and not data.keys() <= _OF_PAGES,
    )


def _written(data: Mapping[str, Any]) -> Any:
    """Return what stands in an answer itself: Anthropic's content, Ollama's completion."""
    return data.get("content") or (data.get("response") if "done" in data else None)


def _streamed(events: Sequence[Mapping[str, Any]], *, done: bool) -> Reading:
    """Return what the events of a stream say together."""
    text: list[str] = []
    usage: dict[str, Any] = {}
    model, why, calls_tool = "", "", False
    for event in _without_asides(events):
        if event.get("error") and not event.get("choices"):
            return Reading(error=_error_text(event["error"]))
        inner = _object(event.get("response") or event.get("message"))
        if inner and event.get("type") in _LAST_OF_RESPONSES:
            return _whole(inner)
        model = str(event.get("model") or inner.get("model") or model)
        choice, delta = _first(event.get("choices")), _object(event.get("delta"))
        for source in (inner, event, delta):
            usage |= {k: v for k, v in _counts(source).items() if v is not None}
        chunk = _object(choice.get("delta")) or _object(delta.get("message")) or inner
        text += _pieces(event, choice, chunk)
        calls_tool = calls_tool or bool(chunk.get("tool_calls"))
        calls_tool = calls_tool or any(map(_is_tool_call, _gemini_parts(event)))
        why = _end(choice, delta, event, _first(event.get("candidates"))) or why
    if not (why or done) and any(event.keys() & _OF_STREAMS for event in events):
        return Reading(error="the stream ended before its last event")
    return Reading(
        "".join(text),
        _usage(usage),
        _STOPS.get(why, why or "stop"),
        model,
        calls_tool=why in _TOOL_STOPS or calls_tool,
        known=bool(events),
    )


def _without_asides(events: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the events but for the pieces of a block of Anthropic's that is not said."""
    aside = False
    for event in events:
        if "content_block" in event:
            aside = _is_aside(event["content_block"])
        if not (aside and event.get("type") == "content_block_delta"):
            yield event


_LAST_OF_RESPONSES = ("response.completed", "response.incomplete", "response.failed")


def _pieces(
    event: Mapping[str, Any], choice: Mapping[str, Any], chunk: Mapping[str, Any]
) -> list[str]:
    """Return what an event of a stream adds to the text."""
    delta = event.get("delta")
    added = delta if isinstance(delta, dict) else {"text": delta}
    called = [_object(call.get("function")) for call in objects_in(chunk.get("tool_calls"))]
    pieces = [
        *_said(chunk.get("content")),
        *(chunk.get("refusal"), choice.get("text"), _written(event)),
        *(made.get(name) for made in called for name in ("name", "arguments")),
        *(added.get(name) for name in ("text", "partial_json")),
        *_gemini_parts(event),
    ]
    return [content_text(piece) for piece in pieces if piece]


def _end(*holders: Mapping[str, Any]) -> str:
    """Return why an answer ended, "" where none of its parts tells."""
    told = (holder.get(name) for holder in holders for name in _ENDS)
    return next((str(why) for why in told if why), "")


def _counts(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of tokens; Cohere tells those that it bills apart, Ollama beside all."""
    counts = _object(holder.get("usage")) or _object(holder.get("usageMetadata"))
    ollama = {name: holder[name] for name in ("prompt_eval_count", "eval_count") if name in holder}
    return _object(counts.get("billed_units")) or counts or ollama


def _usage(told: Mapping[str, Any]) -> Usage:
    """Return the usage by any of the names that it has; cached prompt tokens and thoughts count."""
    return known_usage(_sum(told, _PROMPT), _sum(told, _WRITTEN))


def _sum(told: Mapping[str, Any], names: Sequence[Sequence[str]]) -> object:
    for group in names:
        counts = [told[name] for name in group if told.get(name) is not None]
        if counts:
            return sum(counts) if all(type(count) is int for count in counts) else counts
    return None


def _error_text(error: Any) -> str:
    return str(error.get("message") or json_text(error)) if isinstance(error, dict) else str(error)


def _gemini_parts(data: Mapping[str, Any]) -> list[Any]:
    contents = (_object(each.get("content")) for each in objects_in(data.get("candidates")))
    return [part for content in contents for part in _said(content.get("parts"))]


def _is_tool_call(part: Any) -> bool:
    """Return whether a part of Gemini's or the Responses API calls a tool: no reason says so."""
    return isinstance(part, dict) and ("functionCall" in part or part.get("type") == _CALL)


def _said(content: Any) -> list[Any]:
    """Return the parts of a content that are said: no thoughts, no work of a provider's tools."""
    return [part for part in _parts(content) if not _is_aside(part)]


def _is_aside(part: Any) -> bool:
    told = part if isinstance(part, dict) else {}
    kind = str(told.get("type"))
    return (
        told.get("thought") is True
        or kind in ("redacted_thinking", "server_tool_use", "mcp_tool_use")
        or kind.endswith("_tool_result")
        or any(told.get(name) is not None for name in _ASIDES)
    )


def _parts(content: Any) -> list[Any]:
    return [part for part in (content if isinstance(content, list) else [content]) if part]


def _output_parts(item: Mapping[str, Any]) -> list[Any]:
    """Return the texts of an item of the Responses API; a call of a tool is a part itself."""
    if item.get("type") == "message":
        return _parts(item.get("content"))
    return [dict(item)] if item.get("type") == _CALL else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(value: Any) -> dict[str, Any]:
    return next(iter(objects_in(value)), {})
