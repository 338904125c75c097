"""The client of one study's optimisation: once the study ends, its calls end too."""

from __future__ import annotations

import asyncio
from typing import Self

from pytest_mipro.errors import InfrastructureError, LimitReachedError
from pytest_mipro.plugin.replies.troubles import TroubleCounter
from pytest_mipro.runtime.calls.strays import Strays
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request
from pytest_mipro.runtime.client.loop import background_loop


class StudyClient(TroubleCounter):
    """A client that serves one study, as a `with` block; after the block every call is refused.

    A study that ends early, by an error or Ctrl-C, leaves cases behind in their threads: they must
    neither pay for further calls nor keep the process alive. So the first InfrastructureError,
    which stops the study, also answers all later calls, and so does the first of the `strays`.
    Calls in flight go on in the inner client, so that what is paid reaches the cache.
    """

    def __init__(self, inner: LMClient, strays: Strays | None = None) -> None:
        super().__init__(inner)
        self._strays = strays or Strays()
        self._waiting: set[asyncio.Task[object]] = set()
        self._end: InfrastructureError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        reason = (
            "the study has ended, so no further LM call is made; run the command again to go on"
        )
        self._finish(InfrastructureError(reason))
        with self._lock:
            waiting = tuple(self._waiting)
        for task in waiting:
            background_loop().call_soon_threadsafe(task.cancel)

    @property
    def under_way(self) -> int:
        """How many calls wait for their reply."""
        return len(self._waiting)

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; raises InfrastructureError once the study has ended."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an LM client is awaited on the package's event loop")
        with self._lock:
            self._refuse_after_end()
            self._waiting.add(task)
        try:
            return await super().complete(request)
        except LimitReachedError:  # ends the search; the study goes on to its decision
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
        """Return the reply at hand; raises InfrastructureError once the study has ended."""
        self._refuse_after_end()
        try:
            return super().lookup(request)
        except InfrastructureError as error:
            self._finish(error)
            raise

    def _refuse_after_end(self) -> None:
        if self._end is not None:
            raise InfrastructureError(str(self._end))
        if self._strays.found:  # the study is about to end: the next event tells it
            raise InfrastructureError("a case called a module without its context")

    def _finish(self, end: InfrastructureError) -> None:
        with self._lock:
            self._end = self._end or end
