"""What is kept of a reply: nothing that gives away what was sent in private, no impossible time."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from pytest_mipro.errors import EndpointError
from pytest_mipro.plugin.replies.recording import CheckedClient
from pytest_mipro.runtime.client.contract import (
    Message,
    OfflineClient,
    Reply,
    Request,
    ScriptedClient,
)

PRIVATE = {"extra_body": {"tenants": ["desk-7f3a9c2e-eu"], "mode": "fast", "depth": 3}}


def said(text: str) -> str:
    client = CheckedClient(ScriptedClient([text]), ())
    asked = Request("m", (Message("user", "hi"),), {"extra_body": "private:1"}, private=PRIVATE)
    return asyncio.run(client.complete(asked)).text


def test_a_reply_that_echoes_a_private_parameter_is_an_error() -> None:
    assert said("a fast reply, 3 words") == "a fast reply, 3 words"
    with pytest.raises(EndpointError, match="echoed a credential in its reply"):
        said("hello desk-7f3a9c2e-eu")


@pytest.mark.parametrize("seconds", [1e18, 1e300, -5.0, math.nan, math.inf, None, "now"])
def test_a_reply_with_impossible_times_is_dated_by_the_clock(seconds: float) -> None:
    class Own(OfflineClient):
        async def complete(self, _: Request) -> Reply:
            return Reply("hi", cost=1e300, latency=seconds, asked=seconds)

    client = CheckedClient(Own(), ())
    reply = asyncio.run(client.complete(Request("m", (Message("user", "hi"),))))
    assert abs(reply.asked - time.time()) < 60
    assert (reply.cost, reply.latency) == (None, 0.0)
