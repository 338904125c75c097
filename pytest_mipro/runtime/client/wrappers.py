"""Wrappers around a client: the base of all of them, a bound on calls in flight, and prices."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from pytest_mipro.runtime.client.contract import (
    LMClient,
    Reply,
    Request,
    Usage,
    at_hand,
    note_unreadable,
    samples_at_0,
)
from pytest_mipro.runtime.client.prices import ModelPrice, known_price


class ClientWrapper:
    """The base of wrappers: passes everything on to the inner client.

    Override `received` to change or note each reply, `complete` and `lookup` to decide whether the
    inner client is asked. `at_once` isn't inherited: a wrapper that never waits says so itself.
    """

    at_once = False

    def __init__(self, inner: LMClient) -> None:
        self._inner = inner

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply."""
        return self.received(request, await self._inner.complete(request))

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply that the inner client has at hand."""
        reply = at_hand(self._inner, request)
        return None if reply is None else self.received(request, reply)

    def received(self, request: Request, reply: Reply) -> Reply:  # noqa: ARG002 - for subclasses
        """Return what the caller gets for a reply of the inner client."""
        return reply

    def unreadable(self, request: Request) -> None:
        """Tell the inner client that its reply can't be read."""
        note_unreadable(self._inner, request)

    def price(self, model: str) -> ModelPrice | None:
        """Return the price that the inner client knows."""
        return known_price(self._inner, model)

    def samples_at_0(self, model: str) -> bool:
        """Return what the inner client knows of the model."""
        return samples_at_0(self._inner, model)

    def endpoint(self, model: str) -> str:
        """Return the inner client's endpoint."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()


class BoundedClient(ClientWrapper):
    """Passes on at most `concurrency` calls at a time; the others wait."""

    def __init__(self, inner: LMClient, concurrency: int) -> None:
        super().__init__(inner)
        self._slots = asyncio.Semaphore(concurrency)

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply, once a slot is free."""
        async with self._slots:
            return await super().complete(request)


class PricedClient(ClientWrapper):
    """Sets the cost of replies by `prices`, for the models listed there."""

    def __init__(self, inner: LMClient, prices: Mapping[str, ModelPrice]) -> None:
        super().__init__(inner)
        self._prices = prices

    def price(self, model: str) -> ModelPrice | None:
        """Return the price set for the model, else the one that the inner client knows."""
        return self._prices.get(model) or super().price(model)

    def received(self, request: Request, reply: Reply) -> Reply:
        """Return the reply with its cost; where no usage is told, only what is free is known."""
        price = self._prices.get(request.model)
        if price is None:
            return reply
        told = reply.usage != Usage() or price == ModelPrice(0, 0)
        return replace(reply, cost=price.cost(reply.usage) if told else None)
