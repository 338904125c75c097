"""Recorded replies: found by the request alone, whatever endpoint answered; kept in the repo.

A reply stands beside digests of its request's parts, not the request itself: files stay small, and
a request that has no reply can still be told which of its parts changed.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import EndpointError, MissingKeyError, MissingReplyError
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import Reply, Usage, at_hand
from pytest_mipro.runtime.text.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_mipro.runtime.client.contract import LMClient, Message, Request

RECORD = "pytest --mipro-replies=record"
_KEY_DIGITS = 32
_PART_DIGITS = 8
_LINE_DIGITS = 4  # enough to point at a line; too few to guess its text by
_MOST_LINES = 64


def key_of(request: Request) -> str:
    """Return 32 hex digits that only this request has, at whatever endpoint it is asked."""
    return request.digest()[:_KEY_DIGITS]


@dataclass(frozen=True)
class RequestParts:
    """What a request is made of, as digests, by which two requests can be compared.

    `model` (the one asked for) and `sample` are themselves. `system` is the system message,
    `inputs` the last message and `lines` its lines (at most 64), `between` all other messages: the
    demos, and what goes before a correction. What a request does not have is "".
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
        names = [field.name for field in fields(self)]
        return sum(getattr(self, name) == getattr(other, name) for name in names)


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


def changes(old: RequestParts, request: Request) -> str:
    """Return in words what differs between a recorded request and another one."""
    new = parts_of(request)
    words = []
    if old.model != new.model:
        words.append(f"the model (was {old.model!r})")
    for name, what in _PART_NAMES.items():
        if getattr(old, name) != getattr(new, name):
            words.append(what)
    if old.inputs != new.inputs:
        words.append(f"the inputs ({_line_change(old, request)})")
    if old.sample != new.sample:
        words.append(f"the sample (was {old.sample}, is {new.sample})")
    return ", ".join(words) or "nothing that its digests tell"


_PART_NAMES = {
    "system": "the instruction or output format",
    "between": "the demos",
    "parameters": "the sampling parameters",
    "schema": "the output schema",
}


@dataclass(frozen=True)
class RecordedReply:
    """A reply with what it takes to find it and to explain it.

    `case` is the first case that used it, `module` who asked, `asked` the UTC day on which the
    endpoint was asked, None where that is not known. `model` is the served version, `cost` is in
    US dollars. No latency: it would differ in each recording.
    """

    case: str
    module: str
    key: str
    text: str
    asked: str | None
    model: str
    finish_reason: str
    usage: Usage
    cost: float | None
    request: RequestParts

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it stands in a file: a case's replies together, whatever order they came in."""
        return self.case, self.module, self.key

    def reply(self) -> Reply:
        """Return it as a client does."""
        return Reply(
            text=self.text,
            usage=self.usage,
            cost=self.cost,
            cached=True,
            finish_reason=self.finish_reason,
            model=self.model,
            asked=_start_of(self.asked) if self.asked else 0.0,
        )


def recorded(case: str, module: str, request: Request, reply: Reply) -> RecordedReply:
    """Return what is kept of a reply."""
    return RecordedReply(
        case=case,
        module=module,
        key=key_of(request),
        text=reply.text,
        asked=day_of(reply.asked),
        model=reply.model,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        cost=reply.cost,
        request=parts_of(request),
    )


def day_of(asked: float) -> str | None:
    """Return the UTC day, as 2026-03-31, of a time in Unix seconds; None for 0, not known."""
    return datetime.fromtimestamp(asked, UTC).date().isoformat() if asked else None


def _start_of(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


class RecordedReplies:
    """The replies of a file, or of several; `name` is how errors call them.

    Of two replies to one request, the first is used.
    """

    def __init__(self, name: str, replies: Iterable[RecordedReply] = ()) -> None:
        self.name = name
        self._by_key: dict[str, RecordedReply] = {}
        for reply in replies:
            self._by_key.setdefault(reply.key, reply)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[RecordedReply]:
        return iter(self._by_key.values())

    def get(self, key: str) -> RecordedReply | None:
        """Return the reply to the request of this key, None where there is none."""
        return self._by_key.get(key)

    def explain(self, case: str, module: str, request: Request) -> str:
        """Return in words why a request has no reply: what changed since the nearest one."""
        if not self._by_key:
            return f"nothing is recorded in {self.name}"
        nearest = self._nearest(case, module, parts_of(request))
        if nearest is None:
            return f"{self.name} has no reply of this module"
        if nearest.case != case and nearest.request.inputs != parts_of(request).inputs:
            return f"{self.name} has replies of this module, none of this case or to these inputs"
        changed = changes(nearest.request, request)
        return f"{self.name} knows it from before a change of {changed}"

    def _nearest(self, case: str, module: str, parts: RequestParts) -> RecordedReply | None:
        def nearness(reply: RecordedReply) -> tuple[bool, int, bool]:
            # A reply that several cases use names the first of them: equal inputs tell it too.
            same = reply.case == case
            return same or reply.request.inputs == parts.inputs, reply.request.equal_to(parts), same

        return max((r for r in self if r.module == module), key=nearness, default=None)


class RecordedClient:
    """A client that answers from recorded replies, and asks `inner` for what they lack.

    Without an inner client a missing reply is an error, and nothing else is ever used: no loop, no
    socket, no cache. `case` names who asks, for errors; calls of no case, as those of a search, are
    not recorded, so that theirs say nothing of it. `served` counts the recorded replies given.
    """

    def __init__(
        self, replies: RecordedReplies, inner: LMClient | None = None, case: str = ""
    ) -> None:
        self._replies = replies
        self._inner = inner
        self._case = case
        self.at_once = inner is None
        self.served = 0
        self._lock = threading.Lock()

    async def complete(self, request: Request) -> Reply:
        """Return the recorded reply, else the inner client's.

        Raises MissingReplyError without an inner client; the text of an inner client's error of key
        or endpoint tells what recorded replies lack.
        """
        found = self._found(request)
        if found is not None:
            return found
        if self._inner is None:
            raise MissingReplyError(f"{self._missing(request)}; run `{RECORD}` and commit the file")
        try:
            return await self._inner.complete(request)
        except (MissingKeyError, EndpointError) as error:
            if not self._case:
                raise
            kind = MissingKeyError if isinstance(error, MissingKeyError) else EndpointError
            raise kind(
                f"{error}; or run `{RECORD}` where the model can be reached, and commit the file: "
                f"{self._missing(request)}"
            ) from None

    def lookup(self, request: Request) -> Reply | None:
        """Return the recorded reply, else what the inner client has at hand."""
        found = self._found(request)
        if found is None and self._inner is not None:
            return at_hand(self._inner, request)
        return found

    def endpoint(self, model: str) -> str:
        """Return what the inner client says; recorded replies are of no endpoint."""
        return self._inner.endpoint(model) if self._inner is not None else ""

    async def aclose(self) -> None:
        """Close the inner client."""
        if self._inner is not None:
            await self._inner.aclose()

    def _found(self, request: Request) -> Reply | None:
        found = self._replies.get(key_of(request))
        if found is None:
            return None
        with self._lock:
            self.served += 1
        return found.reply()

    def _missing(self, request: Request) -> str:
        module = calling_module()
        asker = f"LM module {module!r}" if module else "an LM call"
        case = f"{self._case}: " if self._case else ""
        why = self._replies.explain(self._case, module, request)
        return f"{case}{asker} has no recorded reply, {why}"


def _messages(request: Request) -> tuple[str, list[Message], str]:
    """Return the system message, those between, and the last one."""
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


def _line_change(old: RequestParts, request: Request) -> str:
    """Return which line of the inputs is the first that changed, and what it is now."""
    lines = _messages(request)[2].split("\n")
    before = [old.lines[at : at + _LINE_DIGITS] for at in range(0, len(old.lines), _LINE_DIGITS)]
    for number, line in enumerate(lines[:_MOST_LINES]):
        if number >= len(before):
            return f"line {number + 1} is new: {one_line(line, 120)!r}"
        if before[number] != _line_digest(line):
            return f"line {number + 1} is now {one_line(line, 120)!r}"
    if len(before) > len(lines):
        return f"they end after line {len(lines)}"
    return f"behind line {_MOST_LINES}"
