"""Who is alive: entries whose beat changes, by this process's own clock.

Clocks of several machines are never compared.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BEAT = 2.0  # seconds between signs of life, at most


class Census:
    """Tells which entries have been silent for `patience` seconds since they were first seen."""

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._last = clock()
        self._heard: dict[int, tuple[object, float]] = {}

    def begin_round(self) -> None:
        """Begin to look round. Who slept through itself has heard nothing, and begins anew."""
        now = self._clock()
        if now - self._last > self._patience / 2:
            self._heard.clear()
        self._last = now

    def silent(self, number: int, sign: object) -> bool:
        """Return whether the sign of an entry has stayed the same for longer than the patience."""
        before, since = self._heard.get(number, (None, 0.0))
        if number not in self._heard or before != sign:
            self._heard[number] = (sign, self._last)
            return False
        return self._last - since > self._patience


def beat_of(patience: float) -> float:
    """Return the seconds between signs of life: several fit into the patience of others."""
    return min(_BEAT, patience / 5)
