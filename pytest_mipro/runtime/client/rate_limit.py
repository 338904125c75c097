"""One limiter for all calls to a model: it waits as told, and finds how many at once it bears.

Where the endpoint refuses a call for its rate, all calls to the model wait as long as it asks, and
fewer go out at once; with each round of answers one more is tried again (additive increase,
multiplicative decrease: Chiu & Jain 1989). Limits a minute, where they are known, are kept by even
pacing. All times are those of the running event loop.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LOWERED = 0.5
_CATCH_UP = 0.1
"""Seconds by which a pace may be caught up after a timer that fired late."""
_LEAST_WAIT = 0.01
"""Seconds behind a refusal at least: a wait that is told may have been rounded down to nothing."""
_SILENT_SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RateLimits:
    """What a model bears: calls in flight at most, requests and tokens a minute (None: not known).

    Tokens are those of request and reply together.
    """

    concurrency: int = 16
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigurationError(f"concurrency must be at least 1, got {self.concurrency}")
        for name in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"{name} must be above 0, got {value}")


@dataclass(frozen=True)
class Turn:
    """A call's leave to go out. `cuts` is how often the limiter had been lowered by then."""

    tokens: int
    cuts: int


class _Pace:
    """Evenly spaced units, at most `per_minute` in any 60 seconds (generic cell rate algorithm).

    Units are taken once it is free, however many: a call above the whole limit goes out too, and
    the next one waits the longer.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = (60 + _CATCH_UP) / per_minute if per_minute else 0.0
        self.free_at = -math.inf

    def take(self, units: float, now: float) -> None:
        self.free_at = max(self.free_at, now - _CATCH_UP) + units * self._seconds

    def correct(self, units: float) -> None:
        self.free_at += units * self._seconds


class RateLimiter:
    """Admits the calls to one model in the order of their places. For one event loop.

    `width` is how many calls may be in flight now, 1…`limits.concurrency`; `answered` counts the
    calls that the endpoint answered.
    """

    def __init__(self, model: str, limits: RateLimits) -> None:
        self._model = model
        self._most = limits.concurrency
        self._requests = _Pace(limits.requests_per_minute)
        self._tokens = _Pace(limits.tokens_per_minute)
        self._places = count()
        self._waiting: list[tuple[int, int, asyncio.Future[Turn]]] = []
        self._in_flight = 0
        self._cuts = 0
        self._paused_until = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.width = float(limits.concurrency)
        self.answered = 0

    def place(self) -> int:
        """Return the next place in the queue; a call that has to come again keeps its own."""
        return next(self._places)

    @asynccontextmanager
    async def turn(self, place: int, tokens: int) -> AsyncIterator[Turn]:
        """Wait for the call's turn and hold it while the block runs; `tokens` are expected ones."""
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (place, tokens, future))
        self._admit()
        try:
            yield await future
        finally:
            if future.done() and not future.cancelled():
                self._in_flight -= 1
            future.cancel()  # whoever stops waiting leaves the queue
            self._admit()

    def note_answer(self, turn: Turn, tokens: int) -> None:
        """Note that the endpoint answered, and how many tokens it counted (0: it does not tell)."""
        self.answered += 1
        self.width = min(float(self._most), self.width + 1 / self.width)
        if tokens:
            self._tokens.correct(tokens - turn.tokens)

    def note_refusal(self, turn: Turn, wait: float) -> None:
        """Note that the call came too soon: all calls wait `wait` seconds, and fewer go at once.

        Calls that went out together are refused together: they lower the width once.
        """
        until = asyncio.get_running_loop().time() + max(wait, _LEAST_WAIT)
        if wait > _SILENT_SECONDS and until > self._paused_until + _SILENT_SECONDS:
            _log.warning("model %s limits the rate: all its calls wait %.0f s", self._model, wait)
        self._paused_until = max(self._paused_until, until)
        if turn.cuts == self._cuts:
            self._cuts += 1
            self.width = max(1.0, _LOWERED * self.width)

    def _admit(self) -> None:
        """Let those go whose turn it is, and see to it that the next one is not forgotten."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._in_flight < int(self.width):
            now = loop.time()
            at = max(self._paused_until, self._requests.free_at, self._tokens.free_at)
            if at > now:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = loop.call_at(at, self._admit)
                return
            _, tokens, future = heapq.heappop(self._waiting)
            if not future.done():
                self._in_flight += 1
                self._requests.take(1, now)
                self._tokens.take(tokens, now)
                future.set_result(Turn(tokens, self._cuts))
