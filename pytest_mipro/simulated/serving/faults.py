"""Which call fails and how, and how long calls take: drawn from hashes, so repeatable."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.simulated.language import noise

Fault = Literal["429", "500", "timeout", "garbage", "cut"]
"""Too many requests, server error, no answer, an answer that is no JSON, a cut connection."""

KINDS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True)
class FaultPlan:
    """Rates 0…1 of each fault; whether a call fails depends on seed, request and attempt alone.

    No request fails more than `most` times in a row, so that a client which retries gets through.
    """

    rates: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    most: int = 2

    def __post_init__(self) -> None:
        """Raise ConfigurationError for an unknown fault or rates that are no probabilities."""
        unknown = [kind for kind in self.rates if kind not in KINDS]
        if unknown:
            raise ConfigurationError(f"unknown fault {unknown[0]!r}; there are: {', '.join(KINDS)}")
        if any(rate < 0 for rate in self.rates.values()) or sum(self.rates.values()) > 1:
            raise ConfigurationError(
                f"fault rates must be 0 to 1 and sum to at most 1, not {dict(self.rates)}"
            )

    def fault(self, digest: str, attempt: int) -> Fault | None:
        """Return the fault of this attempt (0, 1, …) at the request, None where it is answered."""
        if attempt >= self.most:
            return None
        draw = noise.uniform("fault", self.seed, digest, attempt)
        for kind in KINDS:
            draw -= self.rates.get(kind, 0.0)
            if draw < 0:
                return kind
        return None


@dataclass(frozen=True)
class Latency:
    """How long an answer takes: `median` seconds, log-normal with `spread` (0: fixed)."""

    median: float = 0.0
    spread: float = 0.0
    seed: int = 0

    def seconds(self, digest: str) -> float:
        """Return the seconds that this request takes; the same for the same request."""
        if self.spread <= 0 or self.median <= 0:
            return self.median
        one, two = (noise.uniform("latency", self.seed, digest, part) for part in "ab")
        normal = math.sqrt(-2 * math.log(one)) * math.cos(2 * math.pi * two)  # Box & Muller 1958
        return self.median * math.exp(self.spread * normal)


class RateLimit:
    """At most `per_second` calls a second (0: no limit), with a burst of one second's calls."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._left = max(per_second, 1.0)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Return 0 and count the call where it may pass, else the seconds until one may."""
        if self._rate <= 0:
            return 0.0
        elapsed = now - self._at if self._at is not None else 0.0
        self._at = now
        self._left = min(max(self._rate, 1.0), self._left + elapsed * self._rate)
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


@dataclass
class Stats:
    """What a server has counted since it started.

    `calls` are all POSTs, `answered` those with a reply; their tokens are counted. `busy_seconds`
    is the time with at least one call in flight, `call_seconds` the sum over calls,
    `service_seconds` the sum of the latencies alone: what the calls would have taken on a server
    with a processor of its own.
    """

    calls: int = 0
    answered: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    refused: int = 0
    rate_limited: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    busy_seconds: float = 0.0
    call_seconds: float = 0.0
    service_seconds: float = 0.0
    _since: float = 0.0

    def enter(self, now: float) -> None:
        """Count a call that begins."""
        if self.in_flight == 0:
            self._since = now
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self, began: float, now: float) -> None:
        """Count the time of a call that ends."""
        self.in_flight -= 1
        self.call_seconds += now - began
        if self.in_flight == 0:
            self.busy_seconds += now - self._since

    def answer(self, usage: Mapping[str, int]) -> None:
        """Count a reply and its tokens."""
        self.answered += 1
        self.prompt_tokens += usage["prompt_tokens"]
        self.completion_tokens += usage["completion_tokens"]

    def data(self) -> dict[str, object]:
        """Return the counts as JSON data."""
        return {
            "calls": self.calls,
            "answered": self.answered,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "refused": self.refused,
            "rate_limited": self.rate_limited,
            "faults": dict(self.faults),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "busy_seconds": round(self.busy_seconds, 6),
            "call_seconds": round(self.call_seconds, 6),
            "service_seconds": round(self.service_seconds, 6),
        }
