"""A client with at most so many calls in flight, for clients that do not bound themselves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_mipro.runtime.client.prices import known_price

if TYPE_CHECKING:
    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
    from pytest_mipro.runtime.client.prices import ModelPrice


class BoundedClient:
    """Passes at most `concurrency` calls at once on to the inner client; the others wait."""

    def __init__(self, inner: LMClient, concurrency: int) -> None:
        self._inner = inner
        self._slots = asyncio.Semaphore(concurrency)

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply, once there is room."""
        async with self._slots:
            return await self._inner.complete(request)

    def price(self, model: str) -> ModelPrice | None:
        """Return the price that the inner client knows."""
        return known_price(self._inner, model)

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()
