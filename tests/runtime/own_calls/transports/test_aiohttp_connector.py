"""Answers as aiohttp gets them."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from lm_stub import stub
from own_case import case

from pytest_mipro.runtime.client.contract import OfflineClient
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.own_calls.sending import SendingClient


async def post(url: str) -> tuple[int, str]:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status, answer.headers["x-gateway"]


@pytest.mark.parametrize("sent", ["网关".encode(), b"caf\xe9"])
def test_the_headers_of_a_refusal_may_hold_any_bytes(sent: bytes) -> None:
    with stub() as server, case(SendingClient(OfflineClient(), LiveSettings(attempts=1))):
        server.faults = lambda _: (400, {"x-gateway": sent.decode("latin-1")})
        told = asyncio.run(post(f"{server.url}/v1/chat/completions"))
    assert told == (400, sent.decode("utf-8", "surrogateescape"))
