"""A circuit breaker around the live client: what fails for every call is not tried by each case.

Each request to an endpoint that is down costs its retries, some ten seconds or, where it hangs,
minutes. Later ones fail at once, with the same error; what the cache holds is not asked here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_mipro.errors import (
    EndpointDownError,
    EndpointError,
    MissingKeyError,
    UnknownModelError,
    UnreachableError,
    WorldError,
)

if TYPE_CHECKING:
    from pytest_mipro.runtime.client import LMClient, Reply, Request

_FOR_ALL = (MissingKeyError, UnknownModelError, UnreachableError)
_IN_A_ROW = 3
"""How many requests fail after all retries, none succeeding between, before a model is given up."""


class BreakerClient:
    """Gives a model up for the rest of the run once its calls can't succeed.

    That is after one missing key, unknown model or refused connection, and after three requests in
    a row that failed after all retries otherwise: one of them alone may be the request's own fault.
    """

    def __init__(self, inner: LMClient) -> None:
        self._inner = inner
        self._given_up: dict[str, WorldError] = {}
        self._failed: Counter[str] = Counter()

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; raises the error that gave the model up, if one did."""
        known = self._given_up.get(request.model)
        if known is not None:
            raise type(known)(str(known))
        try:
            reply = await self._inner.complete(request)
        except (MissingKeyError, UnknownModelError, EndpointError) as error:
            self._note(request.model, error)
            raise
        self._failed[request.model] = 0
        return reply

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()

    def _note(self, model: str, error: WorldError) -> None:
        self._failed[model] += isinstance(error, EndpointDownError)
        if isinstance(error, _FOR_ALL) or self._failed[model] >= _IN_A_ROW:
            self._given_up.setdefault(model, error)
