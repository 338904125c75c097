"""Claims on replies: of several processes that need one, a single process asks and pays for it."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import CacheError

if TYPE_CHECKING:
    from pytest_mipro.runtime.cache.store import Store

LEASE_SECONDS = 8.0
"""How long a claim holds that its process doesn't renew."""
RENEWAL_SECONDS = 2.0
_FIRST_WAIT, _LONGEST_WAIT = 0.02, 0.5
_SILENT_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Claims:
    """The claims of this process in a store.

    A claim ends with the reply, with its process if that ran on this machine, and at the latest
    `LEASE_SECONDS` after its process stopped renewing it. Only one thread takes, renews and
    releases claims.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._token = uuid.uuid4().hex
        self._held: set[str] = set()

    @property
    def held(self) -> bool:
        """Whether there are claims to renew."""
        return bool(self._held)

    def take(self, key: str) -> bool:
        """Claim the reply of this key; False if another process holds the claim."""
        holder, until = self._store.get_until(_name(key))
        if holder is not None and not _is_over(holder, until):
            return False
        # The write's transaction compares the holder: of two processes that find the same orphaned
        # claim, one takes it over.
        if not self._store.exchange(_name(key), holder, self._mine(), LEASE_SECONDS):
            return False
        self._held.add(key)
        return True

    def release(self, key: str) -> None:
        """Give the claim up, unless another process has taken it over."""
        self._held.discard(key)
        with suppress(CacheError):  # it then ends by itself
            self._store.exchange(_name(key), self._mine(), None)

    def release_all(self) -> None:
        """Give up the claims of calls that were cancelled."""
        for key in tuple(self._held):
            self.release(key)

    def renew(self) -> None:
        """Prolong all claims of this process; a failure is repaired by the next renewal."""
        for key in tuple(self._held):
            with suppress(CacheError):
                self._store.exchange(_name(key), self._mine(), self._mine(), LEASE_SECONDS)

    def holder(self, key: str) -> Any:
        """Return the claim's data on its process, None if there is no claim."""
        return self._store.get(_name(key))

    def _mine(self) -> dict[str, Any]:
        # Not kept: a forked process is another one.
        return {"host": platform.node(), "pid": os.getpid(), "token": self._token}


class Patience:
    """Growing waits between two looks at another process's claim; the log explains a long one."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._wait = _FIRST_WAIT
        self._warned = False

    async def wait(self, holder: Callable[[], Any]) -> None:
        """Wait longer than the last time."""
        if not self._warned and time.monotonic() - self._began > _SILENT_SECONDS:
            self._warned = True
            found, other = holder(), "another process"
            if isinstance(found, dict):
                other = f"process {found.get('pid')} on {found.get('host')}"
            _log.warning("waiting for %s to get a reply that both need", other)
        await asyncio.sleep(self._wait)
        self._wait = min(_LONGEST_WAIT, 1.5 * self._wait)


def _name(key: str) -> str:
    return f"claim {key}"


def _is_over(holder: Any, until: object) -> bool:
    """Return whether a claim has ended with its process, or isn't one that this package writes."""
    bounded = isinstance(until, float) and until <= time.time() + 2 * LEASE_SECONDS
    if not bounded or not isinstance(holder, dict):
        return True
    pid = holder.get("pid")
    if holder.get("host") != platform.node() or os.name == "nt" or not isinstance(pid, int):
        return False  # its lease decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    with suppress(OSError, IndexError):  # a killed worker that its parent didn't wait for
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
