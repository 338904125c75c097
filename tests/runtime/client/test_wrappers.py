"""A client that does not bound itself gets no more calls at once than allowed, and no fewer."""

from __future__ import annotations

import asyncio

from virtual_time import in_virtual_time

from pytest_mipro.runtime.client.contract import Reply, Request, ScriptedClient
from pytest_mipro.runtime.client.wrappers import BoundedClient


class Slow(ScriptedClient):
    def __init__(self) -> None:
        super().__init__(lambda request: request.model)
        self.now = self.most_at_once = 0
        self.closed = False

    async def complete(self, request: Request) -> Reply:
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        await asyncio.sleep(1)
        self.now -= 1
        return await super().complete(request)

    def endpoint(self, model: str) -> str:
        return f"digest of {model}"

    async def aclose(self) -> None:
        self.closed = True


def test_calls_in_flight_are_bounded_and_all_answered() -> None:
    async def ten(client: BoundedClient) -> list[Reply]:
        return await asyncio.gather(*(client.complete(Request(f"{n}", ())) for n in range(10)))

    inner = Slow()
    replies = in_virtual_time(ten(BoundedClient(inner, 4)))
    assert [reply.text for reply in replies] == [f"{number}" for number in range(10)]
    assert inner.most_at_once == 4


def test_the_rest_of_the_contract_is_the_inner_clients() -> None:
    inner = Slow()
    client = BoundedClient(inner, 1)
    assert client.endpoint("m") == "digest of m"
    in_virtual_time(client.aclose())
    assert inner.closed
