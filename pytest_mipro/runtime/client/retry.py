"""How long to wait before an LM call is tried again: Retry-After, else exponential back-off."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, at least 0; None without one.

    Both forms of RFC 9110, section 10.2.3, are read: seconds and an HTTP date.
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
    except ValueError:
        return math.nan
    if moment.tzinfo is None:  # "-0000": UTC without a place
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


def back_off(attempt: int, first: float, salt: str) -> float:
    """Return the seconds to wait after failed attempt 1, 2, …: `first`, doubled each time.

    The wait is drawn between half and the whole of that, so that calls which failed together do
    not come back together. It is drawn from the salt and the attempt: the same call waits alike
    in every run.
    """
    drawn = hashlib.sha256(f"{salt}:{attempt}".encode("utf-8", "surrogatepass")).digest()
    share = int.from_bytes(drawn[:8]) / 2**64
    return float(first * 2 ** (attempt - 1) * (0.5 + share / 2))
