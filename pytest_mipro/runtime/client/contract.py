"""The client contract: requests, replies and what a client must do; two clients without a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeGuard, runtime_checkable

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client.attachments import Attachment
from pytest_mipro.runtime.text.number_words import counted

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """A chat message: `role` and `content`, in which nothing is read as a role or template.

    `parts` are the texts, images and files that are sent as content parts, none for a text alone;
    `content` then is what one reads: each on lines of its own, with a short text for an image.
    """

    role: Role
    content: str
    parts: tuple[str | Attachment, ...] = ()

    @classmethod
    def of(cls, role: Role, parts: Sequence[str | Attachment]) -> Message:
        """Return the message of these parts."""
        texts = [part if isinstance(part, str) else part.short for part in parts]
        held = () if texts == list(parts) else tuple(parts)
        return cls(role, "\n".join(texts), held)

    @property
    def attached(self) -> tuple[Attachment, ...]:
        """The images and files among the parts."""
        return tuple(part for part in self.parts if not isinstance(part, str))

    def sent(self, text: Callable[[str], str] = str) -> dict[str, Any]:
        """Return the message in OpenAI's format, each of its texts changed by `text`."""
        parts = [
            {"type": "text", "text": text(part)} if isinstance(part, str) else part.part()
            for part in self.parts
        ]
        return {"role": self.role, "content": parts or text(self.content)}

    def _keyed(self) -> list[Any]:
        parts = [part if isinstance(part, str) else part.key() for part in self.parts]
        return [self.role, parts or self.content]


@dataclass(frozen=True)
class Request:
    """One LM call. Everything in it can change the reply, so all of it is part of the cache key.

    `model` is the model's name, `messages` are the chat messages. `parameters` are sampling
    parameters with litellm's names (`temperature`, `max_tokens`, …), JSON values only.
    `response_schema` is the JSON schema wanted for the reply; it is sent along if the model
    supports it. `sample` (0, 1, …) distinguishes repeated draws of the same request; it is never
    sent. `private` are the true values of parameters of which `parameters` hold a digest: they are
    sent, and never kept or shown.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    response_schema: Mapping[str, Any] | None = None
    sample: int = 0
    private: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def answerer(self) -> str:
        """Who answers, for errors."""
        return f"the endpoint of model {self.model!r}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts in the private parameters, which no error or reply may show."""
        return tuple(_texts(self.private))

    def canonical_json(self) -> str:
        """Return the request as JSON text with sorted keys, no white space and UTF-8 unescaped."""
        data = {
            "model": self.model,
            "messages": [message._keyed() for message in self.messages],  # noqa: SLF001 - same file
            "parameters": dict(self.parameters),
            "response_schema": self.response_schema,
            "sample": self.sample,
        }
        return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def digest(self, endpoint: str = "") -> str:
        """Return the SHA-256 (64 hex digits) of the request and of the endpoint that serves it.

        `endpoint` is the one that `LMClient.endpoint` returns.
        """
        return request_digest(self.canonical_json(), endpoint)

    def endpoint_at(self, client: LMClient) -> str:
        """Return the endpoint that serves the request, as a digest: part of the cache key."""
        return client.endpoint(self.model)

    def prompt_bytes(self) -> int:
        """Return the UTF-8 bytes of messages and response schema, and a bound for images and files.

        They bound the tokens: no tokenizer makes more tokens of a text than it has bytes.
        """
        texts = [message.content for message in self.messages]
        if self.response_schema is not None:
            texts.append(json.dumps(dict(self.response_schema)))
        attached = sum(part.tokens() for message in self.messages for part in message.attached)
        return attached + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def request_digest(canonical_json: str, endpoint: str) -> str:
    """Return the digest of a request from its canonical JSON."""
    text = f"{endpoint}\n{canonical_json}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Usage:
    """Tokens of one or more calls: `prompt_tokens` and `completion_tokens`, 0 where unknown."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


# Of one call; what is larger is a mistake.
_MOST_TOKENS, _MOST_DOLLARS = 100_000_000, 1_000_000.0
_YEAR_3000 = 32_503_680_000.0  # nanoseconds of today are later


def known_usage(prompt_tokens: object, completion_tokens: object) -> Usage:
    """Return the usage that an endpoint reports, unknown if a count is none of a call's."""
    counts = [0 if count is None else count for count in (prompt_tokens, completion_tokens)]
    if any(type(count) is not int or not 0 <= count <= _MOST_TOKENS for count in counts):
        return Usage()
    return Usage(*counts)  # type: ignore[arg-type] # checked above


def known_cost(cost: object) -> float | None:
    """Return the US dollars that an endpoint reports, None for what is no amount of a call."""
    return float(cost) if _is_within(cost, _MOST_DOLLARS) else None


def known_seconds(value: object) -> float:
    """Return a latency or Unix time that a client reports; 0, unknown, for what is neither."""
    return float(value) if _is_within(value, _YEAR_3000) else 0.0


def _is_within(value: object, most: float) -> TypeGuard[float]:
    return type(value) in (int, float) and 0 <= value <= most  # type: ignore[operator]


@dataclass(frozen=True)
class Reply:
    """The reply to a request.

    `text` is the reply itself, `usage` its tokens; `cost` is in US dollars, None without a known
    price; `latency` is in seconds. `cached` is True if no endpoint was asked for this reply.
    `finish_reason` says why the model stopped ("stop", "length", …). `model` is the served version,
    as the endpoint names it. `asked` is when the endpoint was asked, in Unix seconds; 0 if unknown.
    """

    text: str
    usage: Usage = Usage()
    cost: float | None = None
    latency: float = 0.0
    cached: bool = False
    finish_reason: str = "stop"
    model: str = ""
    asked: float = 0.0


@runtime_checkable
class LMClient(Protocol):
    """The contract of all clients, live ones and wrappers alike.

    `complete` is awaited on the package's one background event loop (`runtime.client.loop`), so a
    client may keep connections and locks of that loop. It raises subclasses of `ProgramError` or
    `InfrastructureError`, nothing else. A client whose `complete` never waits may declare
    `at_once = True`: it then runs in the caller's thread, and no loop is started for it.

    A client that knows without waiting whether it has a reply, as a cache does, may have a method
    `lookup(request)` that returns the reply with `cached=True`, or None. It is tried before
    `complete`, in the caller's thread (any thread), and spares a cached call the background loop.
    Where it counts or refuses requests, it does so as `complete` does.
    """

    async def complete(self, request: Request) -> Reply:
        """Return the model's reply to the request."""
        ...

    def endpoint(self, model: str) -> str:
        """Return a digest, without credentials, of the endpoint that serves the model.

        It is empty for the provider's default endpoint, and part of the cache key: two endpoints
        may answer differently.
        """
        ...

    async def aclose(self) -> None:
        """Release connections and files. The client isn't used afterwards."""
        ...


def at_hand(client: LMClient, request: Request) -> Reply | None:
    """Return the reply by the client's optional method `lookup`, None where it must be asked."""
    # Not `isinstance` with a protocol: on every call, that takes longer than the lookup.
    lookup: Callable[[Request], Reply | None] | None = getattr(client, "lookup", None)
    return None if lookup is None else lookup(request)


def note_unreadable(client: LMClient, request: Request) -> None:
    """Tell the client, by its optional method `unreadable`, that its last reply can't be read."""
    note: Callable[[Request], None] | None = getattr(client, "unreadable", None)
    if note is not None:
        note(request)


def samples_at_0(client: LMClient, model: str) -> bool:
    """Return whether a model's replies are samples though temperature 0 is asked for.

    The client's optional method `samples_at_0(model)` says so; False without one. It may take
    seconds: litellm is imported for what it knows.
    """
    known: Callable[[str], bool] | None = getattr(client, "samples_at_0", None)
    return known is not None and known(model)


class OfflineClient:
    """The base of clients that ask no endpoint and hold nothing open."""

    async def complete(self, request: Request) -> Reply:
        """Raise EndpointError: this client has no replies."""
        raise EndpointError(f"no endpoint serves model {request.model!r} here")

    def endpoint(self, model: str) -> str:  # noqa: ARG002 - the contract's signature
        """Return the default endpoint: none is asked."""
        return ""

    async def aclose(self) -> None:
        """Nothing to release."""


class ScriptedClient(OfflineClient):
    """A client for tests: replies from a function of the request, or from a list in order.

    It records every request in `requests`.
    """

    def __init__(self, script: Callable[[Request], str] | Sequence[str]) -> None:
        self._script = script
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        """Return the scripted text, with one token per word as usage."""
        self.requests.append(request)
        number = len(self.requests)
        if callable(self._script):
            text = self._script(request)
        elif number <= len(self._script):
            text = self._script[number - 1]
        else:
            raise EndpointError(
                f"the script has {counted(len(self._script), 'reply', 'replies')}, call {number} "
                "came"
            )
        words = sum(len(message.content.split()) for message in request.messages)
        return Reply(text, Usage(words, len(text.split())), cost=0.0, model=request.model)
