"""Decide which failed attempts of a live call are retried, how often, and after which wait.

| failure | retried | wait |
|---|---|---|
| no connection, no answer in time, an answer without a reply | yes | back-off |
| 408, 409, 425, 5xx | yes | Retry-After, else back-off |
| 429; 503 and 529 with a Retry-After | yes, uncounted at first if others are answered | the same |
| 429 for its own size or a spent quota, other 4xx (key, model, context window, filter) | no | |
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pytest_mipro.errors import MiproError

ATTEMPTS = 6
"""How often a request is tried in all."""
BACKOFF_SECONDS = 0.5
"""The longest first wait; it doubles at each failure."""
LONGEST_WAIT_SECONDS = 60.0
"""No wait is longer, whatever the endpoint asks for."""
PATIENT_REFUSALS = 20
"""So many refusals of a call for its rate don't count, at least, while others are answered."""
PATIENT_WAITS = 2
"""For so many of the longest waits they don't count, at least: a limit a minute ends by then."""
_RETRIED_4XX = frozenset({408, 409, 425, 429})
_OVERLOADED = frozenset({503, 529})


def is_transient(status: int | None) -> bool:
    """Return whether a call may succeed later by its HTTP status, None where no answer came."""
    return status is None or not 400 <= status < 500 or status in _RETRIED_4XX


@dataclass(frozen=True)
class Failure:
    """One failed attempt: the error for the user, and what decides on another attempt.

    `wait` is the Retry-After in seconds, None without one. `lost` means that the endpoint may have
    answered, and be paid for it, though no usable answer came: the connection was cut, the time was
    up, a gateway gave up, or the answer held no reply.
    """

    error: MiproError
    retried: bool
    status: int | None = None
    wait: float | None = None
    lost: bool = False

    @property
    def limited(self) -> bool:
        """Whether the call only came too soon, as any call to the model would have."""
        return self.status == 429 or (self.status in _OVERLOADED and self.wait is not None)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, at least 0; None without one.

    Reads both forms of RFC 9110, section 10.2.3: seconds and an HTTP date.
    """
    text = str(headers.get("retry-after") or headers.get("Retry-After") or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, now or datetime.now(UTC))
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000": UTC without a place
            moment = moment.replace(tzinfo=UTC)
        return (moment - now).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, or one that no calendar has
        return math.nan


def back_off(attempt: int, first: float, salt: str) -> float:
    """Return the seconds to wait after failed attempt 1, 2, …: `first`, doubled each time.

    The wait is drawn between half of that and all of it, so that calls which failed together don't
    come back together. Equal salts and attempts give equal waits in every run.
    """
    drawn = hashlib.sha256(f"{salt}:{attempt}".encode("utf-8", "surrogatepass")).digest()
    share = int.from_bytes(drawn[:8]) / 2**64
    return float(first * 2 ** (attempt - 1) * (0.5 + share / 2))


_count_lost: ContextVar[Callable[[bool], None] | None] = ContextVar("mipro_lost", default=None)


@contextmanager
def counting_lost_attempts(count: Callable[[bool], None]) -> Iterator[None]:
    """Call `count` for each attempt in the block whose answer was lost: a provider may bill it.

    It is told whether another attempt follows.
    """
    token = _count_lost.set(count)
    try:
        yield
    finally:
        _count_lost.reset(token)


def report_lost_attempt(*, again: bool) -> None:
    """Report an attempt whose answer was lost, and whether another follows.

    Raises what the counter raises.
    """
    count = _count_lost.get()
    if count is not None:
        count(again)
