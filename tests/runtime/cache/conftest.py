"""A cache in a folder of its own, closed behind each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import ScriptedClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def inner() -> ScriptedClient:
    return ScriptedClient(lambda request: f"reply to {request.messages[-1].content}")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., CachedClient]]:
    clients: list[CachedClient] = []

    def make(inner: Any) -> CachedClient:
        clients.append(CachedClient(inner, tmp_path / "cache"))
        return clients[-1]

    yield make
    for client in clients:
        loop.run(client.aclose())
