"""Make a live call as often as it takes: one retry policy and one rate limiter per model."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.client.contract import Reply, Request
from pytest_mipro.runtime.client.live.endpoints import is_http_url
from pytest_mipro.runtime.client.live.rate_limit import RateLimiter
from pytest_mipro.runtime.client.live.retry import (
    ATTEMPTS,
    BACKOFF_SECONDS,
    LONGEST_WAIT_SECONDS,
    PATIENT_REFUSALS,
    PATIENT_WAITS,
    Failure,
    back_off,
    report_lost_attempt,
)
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import one_line


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """How live calls are made and retried.

    `concurrency` bounds the requests in flight, `timeout` (seconds) each attempt.
    `requests_per_minute` bounds the calls of this process to each model; None: only what the
    endpoint asks for. `api_base` is the base URL of every model; None leaves it to litellm's
    variables (`OPENAI_BASE_URL`, …). A request is tried `attempts` times: `backoff` is the longest
    first wait in seconds, doubled at each failure; no wait is longer than `longest_wait` seconds,
    whatever the endpoint asks for. Raises ConfigurationError for a value out of range.
    """

    concurrency: int = 16
    timeout: float = 60.0
    requests_per_minute: float | None = None
    api_base: str | None = None
    attempts: int = ATTEMPTS
    backoff: float = BACKOFF_SECONDS
    longest_wait: float = LONGEST_WAIT_SECONDS

    def __post_init__(self) -> None:
        for name in ("attempts", "concurrency"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}")
        pace = self.requests_per_minute
        if pace is not None and not (math.isfinite(pace) and pace > 0):
            raise ConfigurationError(f"requests_per_minute must be above 0, got {pace}")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ConfigurationError(f"timeout must be above 0 seconds, got {self.timeout}")
        if self.api_base and not is_http_url(self.api_base):
            raise ConfigurationError(
                f"api_base must be a URL as http://localhost:8000/v1, "
                f"got {one_line(self.api_base)!r}"
            )


class _Failed:
    """How often one call has failed: `count` bounds its attempts, `times` is all of it.

    While other calls are answered, a refusal for the rate doesn't count: the endpoint works, and
    this call's turn comes. It does count once no limit a minute explains so many: the call itself
    is too large, and each attempt makes the others wait.
    """

    def __init__(self, limiter: RateLimiter, longest_wait: float) -> None:
        self.count = self.times = 0
        self._limiter, self._answered = limiter, limiter.answered
        self._patient_seconds = PATIENT_WAITS * longest_wait
        self._patient_until: float | None = None
        self._uncounted = 0

    def note(self, failure: Failure) -> None:
        """Count a failure."""
        now = asyncio.get_running_loop().time()
        if self._patient_until is None:
            self._patient_until = now + self._patient_seconds
        patient = self._uncounted < PATIENT_REFUSALS or now < self._patient_until
        uncounted = failure.limited and self._limiter.answered > self._answered and patient
        self._answered = self._limiter.answered
        self._uncounted += uncounted
        self.count += not uncounted
        self.times += 1


class Attempts:
    """Makes calls by the settings, for one event loop: in turn, and again after a failure."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)  # for all models together
        self._limiters: dict[str, RateLimiter] = {}

    async def reply(
        self,
        request: Request,
        attempt: Callable[[], Awaitable[Reply | Failure]],
        gives_way: Callable[[Failure], bool] = lambda _: False,
    ) -> Reply:
        """Return the first reply of an attempt; raises the error of the last one.

        A failure that `gives_way` changed the call for is followed by another attempt at once.
        """
        settings, limiter = self._settings, self._limiter(request.model)
        place, failed = limiter.place(), _Failed(limiter, settings.longest_wait)
        while True:
            async with limiter.turn(place) as cuts, self._slots:
                outcome = await attempt()
                if isinstance(outcome, Reply):
                    limiter.note_answer()
                    return outcome
                if gives_way(outcome):
                    continue
                if not outcome.retried:
                    if outcome.lost:
                        report_lost_attempt(again=False)
                    raise outcome.error
                failed.note(outcome)
                if outcome.lost:
                    report_lost_attempt(again=failed.count < settings.attempts)
                wait = self._wait(outcome, failed.count, request)
                if outcome.limited:
                    limiter.note_refusal(cuts, wait)
                if failed.count >= settings.attempts:
                    break
                if not outcome.limited:
                    # It keeps its turn meanwhile: an endpoint in trouble would otherwise meet all
                    # queued requests together, and use up their attempts.
                    await asyncio.sleep(wait)
        raise type(outcome.error)(
            f"model {request.model!r} failed {counted(failed.times, 'time')}, at last with "
            f"{outcome.error}; check the endpoint, or try again later"
        ) from outcome.error.__cause__

    def _limiter(self, model: str) -> RateLimiter:
        if model not in self._limiters:
            settings = self._settings
            self._limiters[model] = RateLimiter(
                model, settings.concurrency, settings.requests_per_minute
            )
        return self._limiters[model]

    def _wait(self, failure: Failure, failed: int, request: Request) -> float:
        wait = failure.wait
        if wait is None:
            wait = back_off(max(1, failed), self._settings.backoff, request.canonical_json())
        return min(wait, self._settings.longest_wait)
