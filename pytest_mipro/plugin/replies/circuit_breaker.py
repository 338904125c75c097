"""A circuit breaker around the live client: once an endpoint is down, later calls fail at once.

Each request to an endpoint that is down costs its retries: ten seconds or, where it hangs, minutes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from pytest_mipro.errors import (
    EndpointDownError,
    EndpointError,
    InfrastructureError,
    MissingKeyError,
    ProgramError,
    UnknownModelError,
    UnreachableError,
)
from pytest_mipro.runtime.calls.context import calling_case
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper

NOT_TRIED = "not tried: "
"""How errors of what an earlier case shows to be of no use begin: it was not even begun."""
_KINDS = (MissingKeyError, UnknownModelError, UnreachableError, EndpointDownError)
_IN_A_ROW = 3
"""How many requests fail, with no answer between, before a model is given up."""


class BreakerClient(ClientWrapper):
    """Gives a model up for the rest of the run once its calls can't succeed.

    That is after a first request without a connection, else after three in a row without an answer
    between: one failure may be the request's own fault, as where a firewall refuses its text (403)
    or its reply takes too long. A refusal by the model or its endpoint counts as an answer, and a
    late answer takes the model back.

    `complete` is awaited on one loop, so nothing here needs a lock.
    """

    def __init__(self, inner: LMClient) -> None:
        super().__init__(inner)
        self._models: defaultdict[str, _Health] = defaultdict(_Health)

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; for a model that was given up, says so and why."""
        health = self._models[request.model]
        if health.given_up is not None:
            raise _not_tried(request.model, health.given_up, health.case)
        try:
            reply = await super().complete(request)
        except _KINDS as error:
            health.note_failure(error)
            raise
        except (ProgramError, EndpointError):
            health.note_answer()
            raise
        health.note_answer()
        return reply


@dataclass
class _Health:
    """The health of one model's endpoint, as its concurrent requests report it."""

    answered: bool = False
    failed_in_a_row: int = 0
    given_up: InfrastructureError | None = None
    case: str = ""

    def note_answer(self) -> None:
        self.answered, self.failed_in_a_row, self.given_up = True, 0, None

    def note_failure(self, error: InfrastructureError) -> None:
        self.failed_in_a_row += 1
        never_there = isinstance(error, UnreachableError) and not self.answered
        if self.given_up is None and (never_there or self.failed_in_a_row >= _IN_A_ROW):
            self.given_up, self.case = error, calling_case()


def _not_tried(model: str, error: InfrastructureError, case: str) -> InfrastructureError:
    # A new error: the traceback of one that is raised again would grow with each case.
    kind = next(kind for kind in _KINDS if isinstance(error, kind))
    after = f"case {case}" if case else "a call outside cases"
    return kind(f"{NOT_TRIED}model {model!r} was given up after {after}: {error}")
