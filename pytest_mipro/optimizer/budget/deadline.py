"""The time limit of a run; the search ends before it, so that the decision fits in."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_mipro.optimizer.budget.limit_errors import Limit, TimeUsedUpError


class Deadline:
    """Ends `seconds` from now (None: never), less the time kept for later."""

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._start = clock()
        self._kept = 0.0

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def keep(self, seconds: float) -> None:
        """Keep this much of the time for what comes later; 0 frees all of it."""
        self._kept = seconds

    def left(self) -> float | None:
        """Return the seconds left (0 or less: none), None without a limit."""
        if self._seconds is None:
            return None
        return self._seconds - self._kept - self.passed

    def check(self) -> None:
        """Raise TimeUsedUpError where no time is left."""
        left = self.left()
        if left is not None and left <= 0:
            raise self.error()

    def error(self) -> TimeUsedUpError:
        """Return the error of a time that is used up."""
        return TimeUsedUpError(Limit("seconds", self._seconds or 0.0))
