"""The client of one study: when the study ends, nobody waits for a reply or asks any more."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from pytest_mipro.errors import InfrastructureError, LimitReachedError
from pytest_mipro.runtime.client.contract import at_hand
from pytest_mipro.runtime.client.loop import background_loop

if TYPE_CHECKING:
    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request


class StudyClient:
    """A client that serves one study, as a `with` block; behind the block every call is refused.

    A study that ends early, by an error or Ctrl-C, leaves cases behind in their threads: they must
    neither pay for further calls nor keep the process. So the first error of the world, which stops
    the study, is the answer to all later calls too. Calls under way go on in the inner client, so
    that what is paid reaches the cache.
    """

    def __init__(self, inner: LMClient) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Task[object]] = set()
        self._end: InfrastructureError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._finish(InfrastructureError(_ENDED))
        with self._lock:
            waiting = tuple(self._waiting)
        if waiting:
            background_loop().call_soon_threadsafe(_cancel, waiting)

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; raises InfrastructureError once the study has ended."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an LM client is awaited on the package's event loop")
        with self._lock:
            if self._end is not None:
                raise InfrastructureError(str(self._end))
            self._waiting.add(task)
        try:
            return await self._inner.complete(request)
        except LimitReachedError:  # the search ends, the study goes on to its decision
            raise
        except InfrastructureError as error:
            self._finish(error)
            raise
        except asyncio.CancelledError:
            if self._end is not None:
                raise InfrastructureError(str(self._end)) from None
            raise
        finally:
            with self._lock:
                self._waiting.discard(task)

    def lookup(self, request: Request) -> Reply | None:
        """Return what the inner client has; raises InfrastructureError once the study has ended."""
        if self._end is not None:
            raise InfrastructureError(str(self._end))
        try:
            return at_hand(self._inner, request)
        except InfrastructureError as error:
            self._finish(error)
            raise

    def _finish(self, end: InfrastructureError) -> None:
        with self._lock:
            self._end = self._end or end

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Nothing of its own to release: the inner client serves the whole session."""


_ENDED = "the study has ended, so no further LM call is made; run the command again to go on"


def _cancel(tasks: tuple[asyncio.Task[object], ...]) -> None:
    for task in tasks:
        task.cancel()
