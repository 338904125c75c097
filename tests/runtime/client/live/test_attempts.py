"""Calls refused for the rate while others are answered, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from live_calls import request
from virtual_time import in_virtual_time

from pytest_mipro.errors import EndpointDownError
from pytest_mipro.runtime.client.contract import Reply
from pytest_mipro.runtime.client.live.attempts import Attempts, LiveSettings
from pytest_mipro.runtime.client.live.retry import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SETTINGS = LiveSettings(concurrency=8, attempts=3)


def refusal(wait: float | None = None) -> Failure:
    return Failure(EndpointDownError("429: too many tokens"), retried=True, status=429, wait=wait)


async def beside_others(call: Callable[[Attempts], Awaitable[Reply]]) -> Reply:
    """Return the call's reply while others are answered all the time."""
    attempts = Attempts(SETTINGS)

    async def answered() -> Reply:
        await asyncio.sleep(0.05)
        return Reply("other")

    async def traffic(name: int) -> None:
        while True:
            await attempts.reply(request(str(name)), answered)

    others = [asyncio.create_task(traffic(number)) for number in range(6)]
    await asyncio.sleep(1)
    try:
        return await call(attempts)
    finally:
        for other in others:
            other.cancel()


@pytest.mark.parametrize("wait", [None, 2.0])
def test_a_call_that_alone_is_always_refused_is_given_up(wait: float | None) -> None:
    times: list[float] = []

    async def refused() -> Failure:
        times.append(asyncio.get_running_loop().time())
        return refusal(wait)

    with pytest.raises(EndpointDownError, match=r"failed \d\d+ times, at last with 429") as caught:
        in_virtual_time(beside_others(lambda attempts: attempts.reply(request("large"), refused)))
    assert f"failed {len(times)} times" in str(caught.value)
    assert 120 < times[-1] - times[0] < 240


@pytest.mark.parametrize(("wait", "refusals"), [(60.0, 18), (0.1, 300), (None, 100)])
def test_a_rate_limit_is_waited_out(wait: float | None, refusals: int) -> None:
    left = refusals

    async def answered_at_last() -> Reply | Failure:
        nonlocal left
        left -= 1
        return Reply("at last") if left < 0 else refusal(wait)

    reply = in_virtual_time(
        beside_others(lambda attempts: attempts.reply(request("late"), answered_at_last))
    )
    assert reply.text == "at last"
