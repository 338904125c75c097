"""The time that a run may take: the search ends before it, so that the decision fits in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.budget.limit_errors import Limit, TimeUsedUpError

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """`seconds` from now on, None for no limit; what is kept of them is not for who asks now."""

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
        """Keep so many of the seconds for what comes later; 0 gives all of them free."""
        self._kept = seconds

    def left(self) -> float | None:
        """Return the seconds that are left, None without a limit; 0 or less: none are."""
        if self._seconds is None:
            return None
        return self._seconds - self._kept - self.passed

    def check(self) -> None:
        """Raise TimeUsedUpError where no time is left."""
        left = self.left()
        if left is not None and left <= 0:
            raise self.error()

    def error(self) -> TimeUsedUpError:
        """Return the error that says so."""
        return TimeUsedUpError(Limit("seconds", self._seconds or 0.0))
