"""Requests to a reply cache, and what stands behind it."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "cache.db"


class SlowClient(ScriptedClient):
    """Waits for `gate` before it replies; raises `error` where there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(lambda request: f"reply to {request.messages[-1].content}")
        self.error = error
        self.gate = asyncio.Event()

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return reply


def request(text: str = "hi", **changes: Any) -> Request:
    return replace(Request("m", (Message("user", text),), {"temperature": 0}), **changes)


def ask(client: CachedClient, asked: Request | None = None) -> Reply:
    return loop.run(client.complete(asked or request()))


def rows(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / DATABASE, isolation_level=None)


def fill(opened: Any, inner: ScriptedClient) -> None:
    """Keep 50 replies of about 500 characters, and close the cache."""
    client = opened(inner)
    for number in range(50):
        ask(client, request(f"{number} " + "x" * 500))
    loop.run(client.aclose())
    inner.requests.clear()
