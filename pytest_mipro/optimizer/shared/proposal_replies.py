"""Store the replies to proposals: a new leader then proposes the same as the one before.

Replies of cases are not stored, only their results: each process has its own cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, Usage
from pytest_mipro.runtime.client.wrappers import ClientWrapper


class SharedReplies(ClientWrapper):
    """A client that stores its replies, and finds those that were stored before."""

    def __init__(self, inner: LMClient, store: CoordinationStore) -> None:
        super().__init__(inner)
        self._store = store
        self._known = {
            entry.key: _reply(entry.fact("reply"))
            for entry in store.done()
            if entry.kind == "reply"
        }

    async def complete(self, request: Request) -> Reply:
        """Return the stored reply, else the inner client's."""
        stored = self.lookup(request)
        if stored is not None:
            return stored
        reply = await self._inner.complete(request)
        await asyncio.to_thread(
            self._store.put, "reply", request.digest(), state="done", reply=asdict(reply)
        )
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Return the stored reply, without waiting."""
        return self._known.get(request.digest())


def _reply(data: Mapping[str, Any]) -> Reply:
    return replace(Reply(**{**data, "usage": Usage(**data["usage"])}), cached=True)
