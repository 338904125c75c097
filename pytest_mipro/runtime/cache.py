"""The reply cache: each request is asked once, and its reply is on disk before it is used."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache_claims import RENEWAL_SECONDS, Claims, Patience
from pytest_mipro.runtime.client import Reply, Usage, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_mipro.runtime.cache_store import Store
    from pytest_mipro.runtime.client import LMClient, Request

T = TypeVar("T")


def ensure_private_folder(path: Path) -> None:
    """Make the folder, readable by its owner alone and ignored by git; parents are made likewise.

    Raises CacheError where it can't be made. Parents that exist are left as they are.
    """
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.is_dir():
                with suppress(FileExistsError):  # another process was faster
                    folder.mkdir(mode=0o700)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
        with suppress(FileExistsError), (path / ".gitignore").open("x", encoding="utf-8") as file:
            file.write("*\n")
    except OSError as error:
        raise CacheError(
            f"{path}: the folder can't be made private: {error.strerror or error}; "
            f"choose another place, or correct its permissions"
        ) from error


@dataclass
class _Flight:
    """One call under way and whether its reply was handed out as the one that was paid for."""

    task: asyncio.Task[Reply]
    claimed: bool = False


class CachedClient:
    """A client with a memory on disk in `folder`.

    The key is the request's digest with the inner client's endpoint; the row holds the request
    itself, and a row of another request is never used. Identical requests under way share one
    inner call, whose failure reaches all of them. Several processes may share the folder: what one
    of them has under way, the others wait for instead of paying it again. A cached reply has
    `cached=True`, and cost, usage and latency as they were recorded. Replies that were asked before
    `since` (Unix seconds) do not count: they are asked anew and replaced.
    """

    def __init__(self, inner: LMClient, folder: Path, since: float = 0.0) -> None:
        self._inner = inner
        self._folder = folder
        self._since = since
        self._store: Store | None = None
        self._opening = threading.Lock()
        self._closing = False
        self._flights: dict[str, _Flight] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._claims: Claims | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Reply:
        """Return the recorded reply, else the inner client's, which is on disk by then."""
        key = self._key(request)
        flight = self._flights.get(key)
        if flight is None:
            if self._store is None:  # may wait for another process: not on the loop
                await self._in_thread(self._opened)
                if self._closing:  # it was closed meanwhile
                    raise asyncio.CancelledError
            canonical = request.canonical()
            flight = self._flights.get(key)
            if flight is None:
                reply = self._recorded(key, canonical)
                if reply is not None:
                    return reply
                flight = _Flight(asyncio.create_task(self._ask(request, key, canonical)))
                self._flights[key] = flight
                flight.task.add_done_callback(lambda task: self._landed(key, task))
        # Shielded: whoever stops waiting must not take the reply from the others.
        reply = await asyncio.shield(flight.task)
        if flight.claimed:
            return replace(reply, cached=True)
        flight.claimed = True
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Return the recorded reply, None where there is none. Asks no client, makes no folder."""
        if self._store is None and not self._folder.is_dir():
            return None
        canonical = request.canonical()
        key = digest_of(canonical, self._inner.endpoint(request.model))
        return self._recorded(key, canonical)

    def endpoint(self, model: str) -> str:
        """Return what the inner client says."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Stop the calls under way, close the database and the inner client."""
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
        await self._inner.aclose()

    def _recorded(self, key: str, canonical: str) -> Reply | None:
        reply = _reply_of(self._opened().get(key), canonical)
        return reply if reply is not None and reply.asked >= self._since else None

    async def _ask(self, request: Request, key: str, canonical: str) -> Reply:
        paid = await self._claimed_or_paid(key, canonical)
        if paid is not None:
            return paid
        try:
            reply = await self._inner.complete(request)
            reply = replace(reply, text=_as_json_has_it(reply.text))
            return await self._in_thread(self._keep, key, canonical, reply)
        finally:
            await self._in_thread(self._claiming().release, key)

    async def _claimed_or_paid(self, key: str, canonical: str) -> Reply | None:
        """Return None once this process may ask, else the reply that another one has paid for."""
        claims, patience = self._claiming(), Patience()
        while True:
            if claims.free(key) and await self._in_thread(claims.take, key):
                # It may have come between the last look at the reply and the claim.
                reply = self._recorded(key, canonical)
                if reply is not None:
                    await self._in_thread(claims.release, key)
                elif self._renewal is None or self._renewal.done():
                    self._renewal = asyncio.create_task(self._renew())
                return reply
            await patience.wait(lambda: claims.holder(key))
            reply = self._recorded(key, canonical)
            if reply is not None:
                return reply

    async def _renew(self) -> None:
        claims = self._claiming()
        while claims.held:
            await asyncio.sleep(RENEWAL_SECONDS)
            await self._in_thread(claims.renew)

    def _keep(self, key: str, canonical: str, reply: Reply) -> Reply:
        # A process that lost its claim while it asked, as one that was stopped, keeps to the reply
        # that is in use by now.
        used = self._recorded(key, canonical)
        if used is not None:
            return replace(used, cached=False)
        self._opened().set(key, _row(canonical, reply))
        return reply

    def _landed(self, key: str, task: asyncio.Task[Reply]) -> None:
        self._flights.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits any more

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="mipro-cache")
        running = asyncio.get_running_loop()
        return await running.run_in_executor(self._writer, function, *arguments)

    def _key(self, request: Request) -> str:
        return request.digest(self._inner.endpoint(request.model))

    def _claiming(self) -> Claims:
        if self._claims is None:
            self._claims = Claims(self._opened())
        return self._claims

    def _opened(self) -> Store:
        store = self._store
        if store is not None:
            return store
        with self._opening:
            if self._store is None:
                from pytest_mipro.runtime.cache_store import (  # noqa: PLC0415 - diskcache: 40 ms
                    Store,
                )

                self._store = Store(self._folder)
            return self._store


def _row(canonical: str, reply: Reply) -> dict[str, Any]:
    data = asdict(replace(reply, cached=False))
    return {"request": canonical, "reply": data, "check": _check(canonical, data)}


def _as_json_has_it(text: str) -> str:
    # JSON can't tell two halves of a surrogate pair from the character: the first use of a reply
    # must see what the later ones will.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _check(canonical: str, data: Mapping[str, Any]) -> str:
    # A damaged page of the database may still parse: the sum tells it from a reply.
    text = f"{canonical}\n{json.dumps(data, sort_keys=True)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _reply_of(row: object, canonical: str) -> Reply | None:
    if not isinstance(row, dict) or row.get("request") != canonical:
        return None
    data = row.get("reply")
    if not isinstance(data, dict) or row.get("check") != _check(canonical, data):
        return None
    try:
        usage = Usage(**cast("dict[str, int]", data["usage"]))
        return Reply(**{**data, "usage": usage, "cached": True})
    except (KeyError, TypeError):  # a row of another version
        return None
