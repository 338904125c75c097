"""A circuit breaker around the live client: what fails for every call is not tried by each case.

Each request to an endpoint that is down costs its retries, some ten seconds or, where it hangs,
minutes. Later ones fail at once, with the same error; what the cache holds is not asked here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.errors import (
    EndpointDownError,
    EndpointError,
    InfrastructureError,
    MissingKeyError,
    ProgramError,
    UnknownModelError,
    UnreachableError,
)

if TYPE_CHECKING:
    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request

_KINDS = (MissingKeyError, UnknownModelError, UnreachableError, EndpointDownError)
_IN_A_ROW = 3
"""How many requests fail, none answered between, before a model is given up."""


class BreakerClient:
    """Gives a model up for the rest of the run once its calls can't succeed.

    That is after a first request that found no connection, and else after three in a row without
    an answer between: one of them may be the request's own fault, as where a firewall in front of
    the endpoint refuses its text (403) or its reply takes too long. A refusal of the request by the
    model or its endpoint is an answer, and a late answer takes back what was given up.

    The contract has `complete` awaited on one loop, so nothing here needs a lock.
    """

    def __init__(self, inner: LMClient) -> None:
        self._inner = inner
        self._models: defaultdict[str, _Health] = defaultdict(_Health)

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; raises the error that gave the model up, if one did."""
        health = self._models[request.model]
        if health.given_up is not None:
            raise _told_again(health.given_up)
        try:
            reply = await self._inner.complete(request)
        except _KINDS as error:
            health.note_failure(error)
            raise
        except (ProgramError, EndpointError):
            health.note_answer()
            raise
        health.note_answer()
        return reply

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()


@dataclass
class _Health:
    """What is known of one model's endpoint; requests under way at once all tell of it."""

    answered: bool = False
    failed_in_a_row: int = 0
    given_up: InfrastructureError | None = None

    def note_answer(self) -> None:
        self.answered, self.failed_in_a_row, self.given_up = True, 0, None

    def note_failure(self, error: InfrastructureError) -> None:
        self.failed_in_a_row += 1
        never_there = isinstance(error, UnreachableError) and not self.answered
        if self.given_up is None and (never_there or self.failed_in_a_row >= _IN_A_ROW):
            self.given_up = error


def _told_again(error: InfrastructureError) -> InfrastructureError:
    # A new one: the traceback of one that is raised again and again would grow with each case.
    kind = next(kind for kind in _KINDS if isinstance(error, kind))
    return kind(str(error))
