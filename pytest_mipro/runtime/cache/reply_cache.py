"""The reply cache: each request is asked once, and its reply is on disk before anyone uses it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache.claims import RENEWAL_SECONDS, Claims, Patience
from pytest_mipro.runtime.cache.rows import as_json_has_it, reply_of, row_of
from pytest_mipro.runtime.client.clock import real_time
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, request_digest
from pytest_mipro.runtime.client.wrappers import ClientWrapper

if TYPE_CHECKING:
    from pytest_mipro.runtime.cache.store import Store

T = TypeVar("T")

_CLOCKS_DIFFER = 60.0  # seconds, of machines that share a cache


class _Memory(dict[str, object]):
    """The rows of a cache without a folder, which no other process shares."""

    set = dict.__setitem__
    close = dict.clear


@dataclass
class _Flight:
    """A call in flight, and whether its reply was already returned as the paid one."""

    task: asyncio.Task[Reply]
    claimed: bool = False


class CachedClient(ClientWrapper):
    """A client with a memory on disk in `folder`.

    The key is the request's digest with the inner client's endpoint; a row of another request is
    never used. Identical requests in flight share one inner
    call, whose failure reaches all of them; where its caller went away and took it along, the next
    of them makes it. Several processes may share the folder: they wait for
    each other's calls instead of paying for them again. A cached reply has `cached=True`, and cost,
    usage and latency as they were recorded. Replies asked before `since` (Unix seconds) don't
    count: they are asked anew and replaced.

    Without a folder the memory is this object's own and ends with it: each request is still asked
    once within a run, but the next run begins anew. Once the cache can't be used, every call fails
    with the CacheError that said so: what can't be kept is not paid for.
    """

    def __init__(self, inner: LMClient, folder: Path | None, since: float = 0.0) -> None:
        super().__init__(inner)
        self._folder = folder
        self._since = since
        self._kept: set[str] = set()
        self._store: Store | _Memory | None = None
        self._refused: CacheError | None = None
        self._opening = threading.Lock()
        self._closing = False
        self._flights: dict[str, _Flight] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._claims: Claims | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Reply:
        """Return the recorded reply, else the inner client's, which is already on disk."""
        key, text = self._key_and_text(request)
        if self._store is None:  # may wait for another process: not on the loop
            await self._in_thread(self._opened)
            if self._closing:  # it was closed meanwhile
                raise asyncio.CancelledError
        while (flight := self._flights.get(key)) is not None:
            try:
                return await self._landing(flight)
            except asyncio.CancelledError:
                if self._closing or not flight.task.cancelled() or _is_cancelled():
                    raise
                self._landed(key, flight)
        reply = self._recorded(key, text)
        if reply is not None:
            return reply
        flight = _Flight(asyncio.create_task(self._ask(request, key, text)))
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._landed(key, flight))
        return await self._landing(flight)

    def lookup(self, request: Request) -> Reply | None:
        """Return the recorded reply, None if there is none. Asks no client, creates no folder."""
        if self._store is None and not self._is_there():
            return None
        return self._recorded(*self._key_and_text(request))

    def _is_there(self) -> bool:
        """Return whether the folder is there; not where another user's can't be looked into."""
        return self._folder is not None and os.path.isdir(self._folder)  # noqa: PTH112 - raises

    async def aclose(self) -> None:
        """Stop the calls in flight, close the database and the inner client."""
        self._closing = True
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None
        if self._claims is not None:
            await self._in_thread(self._claims.release_all)
        if self._writer is not None:
            await asyncio.to_thread(self._writer.shutdown)
            self._writer = None
        if self._store is not None:
            self._store.close()
        self._store = self._claims = None
        await super().aclose()

    def _recorded(self, key: str, text: str) -> Reply | None:
        reply = reply_of(self._opened().get(key), key, text)
        return reply if reply is not None and self._counts(key, reply) else None

    def _counts(self, key: str, reply: Reply) -> bool:
        """Return whether the reply is young enough; of the future is what a wrong clock dated."""
        if not self._since or key in self._kept:
            return True
        return self._since <= reply.asked <= real_time() + _CLOCKS_DIFFER

    async def _landing(self, flight: _Flight) -> Reply:
        # Shielded: one caller that stops waiting must not take the reply from the others.
        reply = await asyncio.shield(flight.task)
        if flight.claimed:
            return replace(reply, cached=True)
        flight.claimed = True
        return reply

    async def _ask(self, request: Request, key: str, text: str) -> Reply:
        claims = self._claims
        if claims is not None:
            paid = await self._claimed_or_paid(claims, key, text)
            if paid is not None:
                return paid
        try:
            reply = await self._inner.complete(request)
            reply = replace(reply, text=as_json_has_it(reply.text))
            return await self._in_thread(self._keep, key, text, reply)
        finally:
            if claims is not None:
                await self._in_thread(claims.release, key)

    async def _claimed_or_paid(self, claims: Claims, key: str, text: str) -> Reply | None:
        """Return None once this process may ask, else the reply that another one paid for."""
        patience = Patience()
        while True:
            if await self._in_thread(claims.take, key):
                # The reply may have come between the last lookup and the claim.
                reply = self._recorded(key, text)
                if reply is not None:
                    await self._in_thread(claims.release, key)
                elif self._renewal is None or self._renewal.done():
                    self._renewal = asyncio.create_task(self._renew(claims))
                return reply
            await patience.wait(lambda: claims.holder(key))
            reply = self._recorded(key, text)
            if reply is not None:
                return reply

    async def _renew(self, claims: Claims) -> None:
        while claims.held:
            await asyncio.sleep(RENEWAL_SECONDS)
            await self._in_thread(claims.renew)

    def _keep(self, key: str, text: str, reply: Reply) -> Reply:
        # A process that lost its claim while it asked, because it was suspended, takes the reply
        # that is in use by now.
        used = self._recorded(key, text)
        if used is not None:
            return replace(used, cached=False)
        self._opened().set(key, row_of(key, text, reply))
        if self._since:
            self._kept.add(key)
        return reply

    def _landed(self, key: str, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.task.cancelled():
            flight.task.exception()  # marks it as retrieved, even if no caller waits any more

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="mipro-cache")
        running = asyncio.get_running_loop()
        return await running.run_in_executor(self._writer, function, *arguments)

    def _key_and_text(self, request: Request) -> tuple[str, str]:
        text = request.canonical_json()
        return request_digest(text, request.endpoint_at(self._inner)), text

    def _opened(self) -> Store | _Memory:
        store = self._store
        if store is not None:
            return store
        with self._opening:
            if self._refused is not None:
                raise CacheError(str(self._refused))
            if self._store is None:
                try:
                    self._store = self._new_store()
                except CacheError as error:
                    self._refused = error
                    raise
            return self._store

    def _new_store(self) -> Store | _Memory:
        if self._folder is None:
            return _Memory()
        from pytest_mipro.runtime.cache.store import Store  # noqa: PLC0415 - diskcache: 40 ms

        store = Store(self._folder)
        self._claims = Claims(store)
        return store


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
