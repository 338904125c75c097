"""The limiter in virtual time: waits it is asked for, fewer calls at once, a limit per minute."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import pytest
from virtual_time import in_virtual_time

from pytest_mipro.runtime.client.live.rate_limit import RateLimiter
from pytest_mipro.simulated.serving.faults import RateLimit

SECONDS = 0.1


def now() -> float:
    return asyncio.get_running_loop().time()


def limiter_of(concurrency: int = 16, **limits: Any) -> RateLimiter:
    return RateLimiter("m", concurrency, **limits)


@dataclass
class Endpoint:
    """Answers `per_second` calls a second after `seconds` each, and refuses the others at once."""

    per_second: float = 0.0
    seconds: float = SECONDS
    whole_seconds: bool = False
    came: list[float] = field(default_factory=list)
    refused: int = 0
    now: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._limit = RateLimit(self.per_second)

    async def call(self) -> float:
        """Return 0 for an answer, else the seconds to wait."""
        self.came.append(now())
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        try:
            wait = self._limit.wait(now())
            if wait > 0:
                self.refused += 1
                return 1.0 if self.whole_seconds else wait
            await asyncio.sleep(self.seconds)
            return 0.0
        finally:
            self.now -= 1


async def call(limiter: RateLimiter, endpoint: Endpoint) -> float:
    """Call until it is answered; return when that was."""
    place = limiter.place()
    while True:
        async with limiter.turn(place) as cuts:
            wait = await endpoint.call()
            if wait == 0:
                limiter.note_answer()
                return now()
            limiter.note_refusal(cuts, wait)


async def calls(limiter: RateLimiter, endpoint: Endpoint, count: int) -> list[float]:
    return await asyncio.gather(*(call(limiter, endpoint) for _ in range(count)))


def most_in_a_minute(times: list[float]) -> int:
    """Return the most of the times that lie in any 60 seconds, the end of these left out."""
    return max(bisect_left(times, at + 60 - 1e-9) - place for place, at in enumerate(times))


def test_no_more_calls_are_in_flight_than_allowed_and_no_fewer() -> None:
    limiter, endpoint = limiter_of(concurrency=4), Endpoint()
    ends = in_virtual_time(calls(limiter, endpoint, 40))
    assert endpoint.most_at_once == 4
    assert max(ends) == pytest.approx(10 * SECONDS)


def test_calls_go_in_the_order_of_their_places() -> None:
    ends = in_virtual_time(calls(limiter_of(concurrency=1), Endpoint(), 9))
    assert ends == sorted(ends)
    assert len(set(ends)) == 9


def test_all_calls_wait_as_told() -> None:
    limiter, endpoint = limiter_of(concurrency=4), Endpoint()

    async def refused() -> list[float]:
        async with limiter.turn(limiter.place()) as cuts:
            limiter.note_refusal(cuts, 30.0)
        return await calls(limiter, endpoint, 3)

    in_virtual_time(refused())
    assert endpoint.came == [30.0, 30.0, pytest.approx(30.1)]  # two of four at once: it was lowered


def test_a_shorter_wait_does_not_end_a_longer_one() -> None:
    limiter, endpoint = limiter_of(), Endpoint()

    async def refused() -> None:
        for wait in (30.0, 2.0):
            async with asyncio.timeout(60), limiter.turn(limiter.place()) as cuts:
                limiter.note_refusal(cuts, 30.0)
                limiter.note_refusal(cuts, wait)
        await call(limiter, endpoint)

    in_virtual_time(refused())
    assert endpoint.came == [60.0]


def test_refusals_of_one_burst_lower_the_width_once() -> None:
    limiter = limiter_of(concurrency=16)

    async def burst() -> float:
        turns = [limiter.turn(limiter.place()) for _ in range(8)]
        held = [await turn.__aenter__() for turn in turns]
        for cuts in held:
            limiter.note_refusal(cuts, 0.1)
        for context in turns:
            await context.__aexit__(None, None, None)
        return limiter.width

    assert in_virtual_time(burst()) == 8


def test_the_width_rises_by_one_with_each_round_of_answers_and_no_further_than_allowed() -> None:
    limiter = limiter_of(concurrency=8)

    async def rise() -> list[float]:
        seen = []
        async with limiter.turn(limiter.place()) as cuts:
            limiter.note_refusal(cuts, 0.0)
        for _ in range(60):
            seen.append(limiter.width)
            await call(limiter, Endpoint())
        return seen

    seen = in_virtual_time(rise())
    assert seen[0] == 4
    assert 4.9 < seen[4] <= 5  # four answers at width 4
    assert seen[-1] == 8
    assert seen == sorted(seen)


def test_the_width_never_falls_below_one() -> None:
    limiter = limiter_of(concurrency=2)

    async def fall() -> float:
        for _ in range(9):
            async with limiter.turn(limiter.place()) as cuts:
                limiter.note_refusal(cuts, 0.1)
        return limiter.width

    assert in_virtual_time(fall()) == 1


@pytest.mark.parametrize(
    ("concurrency", "seconds", "whole_seconds"),
    [(16, 0.1, False), (16, 0.01, True), (64, 0.5, False), (64, 0.01, False)],
)
def test_fifty_a_second_are_used_to_nine_tenths_and_no_call_is_lost(
    concurrency: int, seconds: float, whole_seconds: bool
) -> None:
    limiter = limiter_of(concurrency=concurrency)
    endpoint = Endpoint(50, seconds, whole_seconds)
    ends = in_virtual_time(calls(limiter, endpoint, 3_000))
    assert len(ends) == 3_000
    could = min(50.0, concurrency / seconds)
    assert 3_000 / max(ends) >= 0.9 * could


def test_a_limit_found_is_hit_rarely() -> None:
    limiter, endpoint = limiter_of(concurrency=64), Endpoint(50, 0.5)
    in_virtual_time(calls(limiter, endpoint, 3_000))
    assert 0 < endpoint.refused < 300


@pytest.mark.parametrize("per_minute", [1, 7, 60, 3_000])
def test_requests_a_minute_are_kept_and_used(per_minute: int) -> None:
    limiter, endpoint = limiter_of(requests_per_minute=per_minute), Endpoint(seconds=0.01)
    count = 3 * per_minute
    in_virtual_time(calls(limiter, endpoint, count))
    assert most_in_a_minute(endpoint.came) <= per_minute
    assert endpoint.came[-1] <= 1.01 * 60 * (count - 1) / per_minute


def test_who_stops_waiting_takes_no_turn_and_keeps_none() -> None:
    limiter, endpoint = limiter_of(concurrency=1), Endpoint()

    async def stopped() -> float:
        first = asyncio.create_task(call(limiter, endpoint))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(call(limiter, endpoint))
        third = asyncio.create_task(call(limiter, endpoint))
        await asyncio.sleep(0)
        waiting.cancel()
        first.cancel()
        return await third

    assert in_virtual_time(stopped()) == pytest.approx(SECONDS)


def test_who_stops_in_the_moment_of_its_turn_gives_it_back() -> None:
    limiter, endpoint = limiter_of(concurrency=1), Endpoint()

    async def stopped() -> float:
        first = asyncio.create_task(call(limiter, endpoint))
        await asyncio.sleep(0)
        second = asyncio.create_task(call(limiter, endpoint))
        await first  # whose end admits the second, which has not run by now
        second.cancel()
        return await call(limiter, endpoint)

    assert in_virtual_time(stopped()) == pytest.approx(2 * SECONDS)


def test_a_long_wait_says_why(caplog: pytest.LogCaptureFixture) -> None:
    limiter = limiter_of()

    async def refused(*waits: float) -> None:
        for wait in waits:
            async with limiter.turn(limiter.place()) as cuts:
                limiter.note_refusal(cuts, wait)
                limiter.note_refusal(cuts, wait)  # of the same burst

    with caplog.at_level(logging.WARNING):
        in_virtual_time(refused(1.0, 20.0))
    assert [record.getMessage() for record in caplog.records] == [
        "model m limits the rate: all its calls wait 20 s"
    ]
