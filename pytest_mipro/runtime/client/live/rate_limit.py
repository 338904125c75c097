"""Limit the calls to one model: obey the waits it asks for, and find how many it bears at a time.

Where the endpoint refuses a call for its rate, all calls to the model wait as long as it asks, and
fewer go out at a time; each round of answers allows one more (additive increase, multiplicative
decrease: Chiu & Jain 1989). A known limit per minute is kept by even pacing. All times are those of
the running event loop.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

_LOWERED = 0.5
_CATCH_UP = 0.1
"""Seconds by which a pace may be caught up after a timer that fired late."""
_LEAST_WAIT = 0.01
"""The shortest wait in seconds after a refusal: the one asked for may be rounded down to 0."""
_SILENT_SECONDS = 5.0

_log = logging.getLogger(__name__)


class RateLimiter:
    """Admits the calls to one model in the order of their places. For one event loop.

    At most `concurrency` calls are in flight, and at most `requests_per_minute` (None: no limit)
    go out in any 60 seconds. `width` is how many may be in flight now, 1…`concurrency`; `answered`
    counts the calls that the endpoint answered.
    """

    def __init__(
        self, model: str, concurrency: int, requests_per_minute: float | None = None
    ) -> None:
        self._model = model
        self._most = concurrency
        # Evenly spaced calls: the generic cell rate algorithm.
        self._spacing = (60 + _CATCH_UP) / requests_per_minute if requests_per_minute else 0.0
        self._free_at = -math.inf
        self._places = count()
        self._waiting: list[tuple[int, asyncio.Future[int]]] = []
        self._in_flight = 0
        self._cuts = 0
        self._paused_until = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.width = float(concurrency)
        self.answered = 0

    def place(self) -> int:
        """Return the next place in the queue; a call that is retried keeps its own."""
        return next(self._places)

    @asynccontextmanager
    async def turn(self, place: int) -> AsyncIterator[int]:
        """Wait for the call's turn and hold it while the block runs.

        Yields how often the width had been cut by then, which `note_refusal` takes.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (place, future))
        self._admit()
        try:
            yield await future
        finally:
            if future.done() and not future.cancelled():
                self._in_flight -= 1
            future.cancel()  # whoever stops waiting leaves the queue
            self._admit()

    def note_answer(self) -> None:
        """Note that the endpoint answered a call."""
        self.answered += 1
        self.width = min(float(self._most), self.width + 1 / self.width)

    def note_refusal(self, cuts: int, wait: float) -> None:
        """Note that a call came too soon: all calls wait `wait` seconds, and fewer go at a time.

        Calls that went out together are refused together: they cut the width once.
        """
        until = asyncio.get_running_loop().time() + max(wait, _LEAST_WAIT)
        if wait > _SILENT_SECONDS and until > self._paused_until + _SILENT_SECONDS:
            _log.warning("model %s limits the rate: all its calls wait %.0f s", self._model, wait)
        self._paused_until = max(self._paused_until, until)
        if cuts == self._cuts:
            self._cuts += 1
            self.width = max(1.0, _LOWERED * self.width)

    def _admit(self) -> None:
        """Let the calls go whose turn it is, and set a timer for the next one."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._in_flight < int(self.width):
            now = loop.time()
            at = max(self._paused_until, self._free_at)
            if at > now:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = loop.call_at(at, self._admit)
                return
            _, future = heapq.heappop(self._waiting)
            if not future.done():
                self._in_flight += 1
                self._free_at = max(self._free_at, now - _CATCH_UP) + self._spacing
                future.set_result(self._cuts)
