"""Calls by lm15's transports, which DSPy makes its calls with, are the case's."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import lm15_stand_in as lm15
import pytest
from lm_stub import Stub
from own_case import case
from own_posts import BODY, KEY

from pytest_mipro.runtime.client.contract import LMClient, Usage

NAMES = ["lm15.transports", "dspy._vendor.lm15.transports"]
Answer = tuple[int, Any]
Ask = Callable[[lm15.TransportRequest], Answer]


def sync(request: lm15.TransportRequest) -> Answer:
    with lm15.StdlibTransport().stream(request) as response:
        return response.status, json.loads(response.read())


def entered(request: lm15.TransportRequest) -> Answer:
    async def ask() -> Answer:
        async with lm15.StdlibAsyncTransport().stream(request) as response:
            return response.status, json.loads(await response.read())

    return asyncio.run(ask())


def awaited(request: lm15.TransportRequest) -> Answer:
    async def ask() -> Answer:
        response = await lm15.StdlibAsyncTransport().stream(request)
        try:
            return response.status, json.loads(await response.read())
        finally:
            await response.aclose()

    return asyncio.run(ask())


each_way = pytest.mark.parametrize("ask", [sync, entered, awaited])


@pytest.fixture(autouse=True)
def _shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAMES[0], lm15)


def posted(server: Stub, path: str = "/v1/chat/completions") -> lm15.TransportRequest:
    headers = [("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json")]
    return lm15.TransportRequest("POST", f"{server.url}{path}", headers, json.dumps(BODY).encode())


def text_of(answer: Answer) -> str:
    assert answer[0] == 200
    return str(answer[1]["choices"][0]["message"]["content"])


@each_way
@pytest.mark.parametrize("name", NAMES)
def test_a_call_is_made_once_and_traced(
    name: str, ask: Ask, server: Stub, client: LMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, NAMES[0])
    monkeypatch.setitem(sys.modules, name, lm15)
    with case(client) as trace:
        first = text_of(ask(posted(server)))
    with case(client) as again:
        second = text_of(ask(posted(server)))
    assert (first, second, server.count) == ("user said hi", "user said hi", 1)
    (live,), (kept,) = trace.calls, again.calls
    assert (live.text, live.usage, live.cached) == (first, Usage(7, 3), False)
    assert (kept.text, kept.usage, kept.cached) == (first, Usage(7, 3), True)
    assert trace.broken is again.broken is None


@each_way
def test_what_is_no_lm_call_passes(ask: Ask, server: Stub, client: LMClient) -> None:
    with case(client, 0, "!*/chat/completions") as trace:
        assert text_of(ask(posted(server))) == text_of(ask(posted(server)))
    assert (server.count, trace.calls) == (2, ())


@each_way
def test_a_fault_arrives_as_it_came_and_breaks_the_case(
    ask: Ask, server: Stub, client: LMClient
) -> None:
    server.faults = lambda _: (500, {})
    with case(client) as trace:
        status, body = ask(posted(server))
    assert (status, body["error"]["message"]) == (500, "a fault of 500")
    assert "a fault of 500" in str(trace.broken)
    assert server.count == 2  # tried again as any live call


@each_way
def test_no_connection_is_the_transport_s_own_error(
    ask: Ask, server: Stub, client: LMClient
) -> None:
    request = posted(server)
    request.url = "http://127.0.0.1:9/v1/chat/completions"
    with case(client) as trace, pytest.raises(lm15.ConnectError, match="failed to connect"):
        ask(request)
    assert "the connection failed: failed to connect" in str(trace.broken)


def test_outside_of_a_case_nothing_is_wrapped(client: LMClient) -> None:
    methods = [lm15.StdlibTransport.stream, lm15.StdlibAsyncTransport.stream]
    with case(client):
        assert lm15.StdlibTransport.stream is not methods[0]
        assert lm15.StdlibAsyncTransport.stream is not methods[1]
    assert [lm15.StdlibTransport.stream, lm15.StdlibAsyncTransport.stream] == methods
