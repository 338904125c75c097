"""Digests of a request's parts: they find its recorded reply, or show which part changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pytest_mipro.runtime.calls.steps import StepRequest
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.text.redaction import one_line

_KEY_DIGITS = 32
_PART_DIGITS = 8
_LINE_DIGITS = 4  # enough to point at a line; too few to guess its text by
_MOST_LINES = 64


def key_of(request: Request) -> str:
    """Return 32 hex digits that identify a request, whatever endpoint serves it."""
    return request.digest()[:_KEY_DIGITS]


@dataclass(frozen=True)
class RequestParts:
    """The parts of a request as digests, to compare it with another one.

    `model` (the one asked for) and `sample` are not digests. `system` is the system message,
    `inputs` the last message and `lines` its lines (at most 64), `between` all other messages: the
    demos, the conversation so far, and what precedes a correction. A part that the request lacks
    is "".
    """

    model: str
    system: str
    between: str
    inputs: str
    lines: str
    parameters: str
    schema: str
    sample: int

    def equal_to(self, other: RequestParts) -> int:
        """Return how many parts are the same."""
        return sum(value == getattr(other, name) for name, value in vars(self).items())


def parts_of(request: Request) -> RequestParts:
    """Return the parts of a request."""
    system, between, last = _messages(request)
    return RequestParts(
        model=request.model,
        system=_digest(system),
        between=_digest([[message.role, message.content] for message in between]),
        inputs=_digest(last),
        lines="".join(_line_digest(line) for line in last.split("\n")[:_MOST_LINES]),
        parameters=_digest(dict(request.parameters)),
        schema=_digest(request.response_schema),
        sample=request.sample,
    )


def describe_changes(old: RequestParts, request: Request) -> str:
    """Describe how a request differs from a recorded one."""
    new = parts_of(request)
    is_step = isinstance(request, StepRequest)
    described = {
        "model": f"the model (was {old.model!r})",
        "system": "its source" if is_step else "the instruction or output format",
        "between": "the demos or the conversation",
        "parameters": "the sampling parameters",
        "schema": "the output schema",
        "inputs": f"the inputs ({_describe_line(old, request)})",
        "sample": f"the sample (was {old.sample}, is {new.sample})",
    }
    words = [text for name, text in described.items() if getattr(old, name) != getattr(new, name)]
    return ", ".join(words) or "nothing that its digests show"


def _messages(request: Request) -> tuple[str, list[Message], str]:
    """Return the system message, the messages between, and the last one."""
    messages = list(request.messages)
    last = messages.pop().content if messages else ""
    system = messages.pop(0).content if messages and messages[0].role == "system" else ""
    return system, messages, last


def _digest(value: Any) -> str:
    if not value:
        return ""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_PART_DIGITS]


def _line_digest(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()[:_LINE_DIGITS]


def _describe_line(old: RequestParts, request: Request) -> str:
    """Describe the first line of the inputs that changed."""
    lines = _messages(request)[2].split("\n")
    before = [old.lines[at : at + _LINE_DIGITS] for at in range(0, len(old.lines), _LINE_DIGITS)]
    for number, line in enumerate(lines[:_MOST_LINES]):
        if number >= len(before):
            return f"line {number + 1} is new: {one_line(line, 120)!r}"
        if before[number] != _line_digest(line):
            return f"line {number + 1} is now {one_line(line, 120)!r}"
    if len(before) > len(lines):
        return f"they end after line {len(lines)}"
    return f"after line {_MOST_LINES}"
