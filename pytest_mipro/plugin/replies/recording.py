"""Wrappers that make replies fit to be kept, record them, and track which ones a case used."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pytest_mipro.plugin.replies.troubles import TroubleCounter
from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.replies.recorded import RecordedReplies
from pytest_mipro.runtime.text.redaction import SHORTEST_IN_DATA, hide_values


def _redacted(reply: Reply, redact: Callable[[str], str]) -> Reply:
    return replace(
        reply,
        text=redact(reply.text),
        model=redact(reply.model),
        finish_reason=redact(reply.finish_reason),
    )


class SanitisingClient(ClientWrapper):
    """Makes replies fit for the cache: dated, and without a key that the endpoint put into them."""

    def __init__(self, inner: LMClient, secrets: tuple[str, ...]) -> None:
        super().__init__(inner)
        self._redact = partial(hide_values, secrets=secrets, shortest=SHORTEST_IN_DATA)

    def received(self, request: Request, reply: Reply) -> Reply:  # noqa: ARG002 - the base's signature
        """Return the reply, dated and redacted."""
        return replace(_redacted(reply, self._redact), asked=reply.asked or time.time())


class RecordingClient(ClientWrapper):
    """Asks the cache, then the replies recorded before, then the model.

    The cache comes first, so that what `--mipro-replies=fresh` fetched gets recorded; the recorded
    replies save whoever has no cache the price of what did not change. Secrets are removed before
    the pipeline sees a reply: a later request that holds its text must be the one that a replay
    makes.
    """

    def __init__(
        self, cache: LMClient, recorded: RecordedReplies, redact: Callable[[str], str]
    ) -> None:
        super().__init__(cache)
        self._recorded = recorded
        self._redact = redact

    async def complete(self, request: Request) -> Reply:
        """Return the reply, without secrets."""
        # In a thread: opening the cache may wait for another process.
        known = await asyncio.to_thread(self.lookup, request)
        return known or await super().complete(request)

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply, without secrets, of the cache or a recording."""
        reply = super().lookup(request)
        if reply is None and (found := self._recorded.reply_to(request)) is not None:
            reply = self.received(request, found)
        return reply

    def received(self, request: Request, reply: Reply) -> Reply:  # noqa: ARG002 - the base's signature
        """Return the reply without secrets."""
        return _redacted(reply, self._redact)


@dataclass(frozen=True)
class UsedReply:
    """A request with the reply that it got, and the module that asked."""

    module: str
    request: Request
    reply: Reply


class TrackingClient(TroubleCounter):
    """Tracks replies: how many came, when the oldest was asked, and all of them if `keep`.

    `oldest` is in Unix seconds, infinite if no reply has a date.
    """

    def __init__(self, inner: LMClient, *, keep: bool) -> None:
        super().__init__(inner)
        self._keep = keep
        self.at_once = bool(getattr(inner, "at_once", False))
        self.calls = 0
        self.oldest = math.inf
        self.used: list[UsedReply] = []

    @property
    def recorded(self) -> int:
        """How many of the replies were recorded ones."""
        return getattr(self._inner, "served", 0)

    def received(self, request: Request, reply: Reply) -> Reply:
        """Track the reply and return it."""
        with self._lock:
            self.calls += 1
            self.oldest = min(self.oldest, reply.asked or math.inf)
            if self._keep:
                self.used.append(UsedReply(calling_module(), request, reply))
        return super().received(request, reply)
