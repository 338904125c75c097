"""Redact what an answer says, not how it is written: JSON escapes letters, streams cut words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from pytest_mipro.runtime.own_calls.http_call import (
    answer_of_text,
    json_object,
    objects_in,
    text_of_answer,
)

Redact = Callable[[str], str]
_DATA = "data:"
_Delta = tuple[object, dict[str, Any], str]
"""What it continues, and the field of an object that holds a piece of it."""


def redacted_reply(text: str, redact: Redact) -> str:
    """Return an answer, written by `text_of_answer`, in which `redact` has changed what it says.

    It gets each text of a JSON body, what the events of a stream say together, and at last the
    whole as it is written.
    """
    answer = answer_of_text(text)
    try:
        body = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        return redact(text)
    streamed = "event-stream" in answer.headers.get("content-type", "")
    changed = _stream(body, redact) if streamed else _object(body, redact)
    return redact(text_of_answer(replace(answer, body=changed.encode("utf-8", "surrogatepass"))))


def _object(body: str, redact: Redact) -> str:
    """Return JSON with its texts redacted, as it is written where none changes.

    A list of objects may be the events of a stream, and so may lines of objects.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return _stream(body, redact, "")
    before = json.dumps(data)
    _redact_together(objects_in(data), redact)
    changed = _redacted(data, redact)
    return body if json.dumps(changed) == before else json.dumps(changed, ensure_ascii=False)


def _redacted(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _redacted(each, redact) for name, each in value.items()}
    return [_redacted(each, redact) for each in value] if isinstance(value, list) else value


def _stream(body: str, redact: Redact, begin: str = _DATA) -> str:
    """Return a stream redacted; where a text changes, its first event holds all of it.

    `begin` is what stands before the JSON of each event.
    """
    lines = body.split("\n")
    places = [place for place, line in enumerate(lines) if line.startswith(begin)]
    events = {p: data for p in places if (data := json_object(lines[p][len(begin) :])) is not None}
    before = {place: json.dumps(event) for place, event in events.items()}
    _redact_together(events.values(), redact)
    for place, event in events.items():
        changed_event = _redacted(event, redact)
        if json.dumps(changed_event) != before[place]:
            lines[place] = f"{begin} {json.dumps(changed_event, ensure_ascii=False)}".lstrip()
    return "\n".join(lines)


def _redact_together(events: Iterable[dict[str, Any]], redact: Redact) -> None:
    """Redact in place what events say together; their texts stay as they are where none changes."""
    texts: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for event in events:
        for continued, holder, name in _deltas(event):
            texts.setdefault(repr(continued), []).append((holder, name))
    for pieces in texts.values():
        whole = "".join(holder[name] for holder, name in pieces)
        if (changed := redact(whole)) != whole:
            for (holder, name), piece in zip(pieces, _first_of(changed, len(pieces)), strict=True):
                holder[name] = piece


def _first_of(text: str, number: int) -> list[str]:
    return [text, *[""] * (number - 1)]


def _deltas(event: dict[str, Any]) -> Iterator[_Delta]:
    """Yield the pieces of text that an event of a stream adds, in any of the known APIs."""
    for choice in objects_in(event.get("choices")):
        number, delta = choice.get("index"), choice.get("delta")
        yield from _pieces(("text", number), choice, "text")
        if isinstance(delta, dict):
            for name in ("content", "reasoning", "reasoning_content", "refusal"):
                yield from _pieces((name, number), delta, name)
            for part in objects_in(delta.get("content")):  # Mistral's
                yield from _pieces(("content", number), part, "text")
            for call in objects_in(delta.get("tool_calls")):
                made = call.get("function")
                if isinstance(made, dict):
                    yield from _pieces(("call", number, call.get("index")), made, "arguments")
    item = tuple(event.get(name) for name in ("type", "item_id", "index", "content_index"))
    yield from _pieces(item, event, "delta")
    if isinstance(event.get("delta"), dict):
        for name in ("text", "partial_json", "thinking"):
            yield from _pieces((*item, name), event["delta"], name)
        yield from _message_pieces(event["delta"])
    yield from _message_pieces(event)
    yield from _pieces("response", event, "response")
    for candidate in objects_in(event.get("candidates")):
        content = candidate.get("content")
        for part in objects_in(content.get("parts")) if isinstance(content, dict) else ():
            yield from _pieces(("part", candidate.get("index")), part, "text")


def _message_pieces(holder: dict[str, Any]) -> Iterator[_Delta]:
    """Yield the pieces of a message as Ollama and Cohere stream it."""
    message = holder.get("message")
    if isinstance(message, dict):
        for name in ("content", "thinking"):
            yield from _pieces(("message", name), message, name)
        if isinstance(message.get("content"), dict):
            for name in ("text", "thinking"):
                yield from _pieces(("message", name), message["content"], name)


def _pieces(continued: object, holder: dict[str, Any], name: str) -> Iterator[_Delta]:
    if isinstance(holder.get(name), str):
        yield continued, holder, name
