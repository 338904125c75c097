"""The clients of a recording run: one that asks and redacts, one that notes what was used."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.runtime.calls.context import calling_module
from pytest_mipro.runtime.client.contract import at_hand
from pytest_mipro.runtime.replies.recorded import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mipro.runtime.cache.reply_cache import CachedClient
    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
    from pytest_mipro.runtime.replies.recorded import RecordedReplies


class RecordingClient:
    """Asks the cache, then the replies recorded before, then the model.

    The cache comes first, so that what `--mipro-replies=fresh` brought is what gets recorded; the
    recorded ones spare whoever has no cache the price of what did not change. Secrets are taken
    out before the pipeline sees a reply: a later request that holds its text must be the one that
    a replay will make.
    """

    def __init__(
        self, cache: CachedClient, recorded: RecordedReplies, redact: Callable[[str], str]
    ) -> None:
        self._cache = cache
        self._recorded = recorded
        self._redact = redact

    async def complete(self, request: Request) -> Reply:
        """Return the reply, without secrets."""
        # In a thread: opening the cache may wait for another process.
        known = await asyncio.to_thread(self.lookup, request)
        return known or self._redacted(await self._cache.complete(request))

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply, without secrets, that the cache or a recording has."""
        reply = self._cache.lookup(request)
        if reply is None and (found := self._recorded.get(key_of(request))) is not None:
            reply = found.reply()
        return None if reply is None else self._redacted(reply)

    def _redacted(self, reply: Reply) -> Reply:
        return replace(
            reply,
            text=self._redact(reply.text),
            model=self._redact(reply.model),
            finish_reason=self._redact(reply.finish_reason),
        )

    def endpoint(self, model: str) -> str:
        """Return what the cache's client says."""
        return self._cache.endpoint(model)

    async def aclose(self) -> None:
        """Nothing of its own to release: the cache serves the whole session."""


@dataclass(frozen=True)
class Used:
    """A request with the reply that it got, and the module that asked."""

    module: str
    request: Request
    reply: Reply


class NotingClient:
    """Notes what came back: how many replies, when the oldest was asked, and all if `keep`.

    `oldest` is in Unix seconds, infinite where no reply tells.
    """

    def __init__(self, inner: LMClient, *, keep: bool) -> None:
        self._inner = inner
        self._keep = keep
        self._lock = threading.Lock()
        self.at_once = bool(getattr(inner, "at_once", False))
        self.calls = 0
        self.oldest = math.inf
        self.used: list[Used] = []

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply."""
        return self._noted(request, await self._inner.complete(request))

    def lookup(self, request: Request) -> Reply | None:
        """Return what the inner client has at hand."""
        reply = at_hand(self._inner, request)
        return None if reply is None else self._noted(request, reply)

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()

    def _noted(self, request: Request, reply: Reply) -> Reply:
        with self._lock:
            self.calls += 1
            self.oldest = min(self.oldest, reply.asked or math.inf)
            if self._keep:
                self.used.append(Used(calling_module(), request, reply))
        return reply
