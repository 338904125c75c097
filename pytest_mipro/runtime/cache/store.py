"""The cache's database: opened with bounded waits, and set aside when it is damaged."""

from __future__ import annotations

import logging
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import diskcache

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache.json_disk import (
    BUSY_SECONDS,
    DATABASE,
    BoundedCache,
    BusyError,
    ForeignDataError,
    ReadOnlyCache,
)
from pytest_mipro.runtime.text.files import ensure_private_folder, file_lock

T = TypeVar("T")
_log = logging.getLogger(__name__)
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedError(Exception):
    """The file is no database, has lost parts, or is no longer in its place."""


class Store:
    """Rows of JSON data by text key, for all threads of a process and for several processes.

    A damaged database is renamed to `cache.db.corrupt-1` (2, …), an empty one takes its place, and
    the log warns. Where the database can't be written (read-only, locked, a full disk), its rows
    are still read. Raises CacheError for the first row that can't be written, and from then on at
    once: no call waits for the same lock again, or pays for a reply that can't be kept; and where
    there is no database to read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._repairing = threading.Lock()
        self._damaged: list[BoundedCache] = []
        self._unwritable: CacheError | None = None
        try:
            self._cache = self._open()
        except CacheError as error:
            self._unwritable = error
            self._cache = self._open_to_read(error)

    def get(self, key: str) -> object:
        """Return the row's data, None if there is no row of this format."""
        return self.get_until(key)[0]

    def get_until(self, key: str) -> tuple[object, object]:
        """Return the row's data and when it expires (Unix seconds; None: never)."""
        return self._run(lambda cache: _row(cache, key))

    def set(self, key: str, value: object) -> None:
        """Write a row to the disk."""
        self._run(lambda cache: cache.set(key, value), writes=True)

    def exchange(
        self, key: str, expected: object, value: object, seconds: float | None = None
    ) -> bool:
        """Write the row if it holds `expected`, and return whether it did.

        None stands for no row, as `expected` and as `value`. The row expires after `seconds`.
        """

        def write(cache: BoundedCache) -> bool:
            with cache.transact():
                if _row(cache, key)[0] != expected:
                    return False
                if value is None:
                    cache.delete(key)
                else:
                    cache.set(key, value, expire=seconds)
                return True

        return self._run(write, writes=True)

    def count(self) -> int:
        """Return how many rows there are."""
        return self._run(len)

    def close(self) -> None:
        """Close the connections of all threads."""
        for cache in (self._cache, *self._damaged):
            cache.close()

    def _run(self, action: Callable[[BoundedCache], T], *, writes: bool = False) -> T:
        if writes and self._unwritable is not None:
            raise CacheError(str(self._unwritable))
        try:
            return self._run_or_repair(action, writes=writes)
        except CacheError as error:
            self._unwritable = error
            if writes:
                raise
            try:
                return action(self._fall_back(error))
            except sqlite3.Error:
                raise error from None

    def _fall_back(self, reason: CacheError) -> BoundedCache:
        """Read without write access from now on."""
        with self._repairing:
            if not isinstance(self._cache, ReadOnlyCache):  # else another thread did it
                self._damaged.append(self._cache)
                self._cache = self._open_to_read(reason)
            return self._cache

    def _run_or_repair(self, action: Callable[[BoundedCache], T], *, writes: bool) -> T:
        for _ in range(2):
            cache = self._cache
            try:
                with self._translated_errors(cache if writes else None):
                    return action(cache)
            except DamagedError:
                with self._repairing:
                    if self._cache is cache:  # else another thread has repaired it
                        self._damaged.append(cache)  # others may be reading: closed at the end
                        self._cache = self._open(cache.inode)
        raise CacheError(f"{self._folder}: the reply cache is damaged again and again; delete it")

    def _open(self, damaged: int | None = None) -> BoundedCache:
        ensure_private_folder(self._folder)
        self._refuse_links()
        # SQLite finds a journal by its name: a process that opens a database while it is set aside
        # would take the journal of the new one for its own.
        with (
            self._translated_errors(),
            file_lock(self._folder / f"{DATABASE}.opening", BUSY_SECONDS),
        ):
            self._set_aside(damaged)
            for _ in range(3):
                inode = self._inode()
                self._refuse_links()
                try:
                    with self._translated_errors():
                        return BoundedCache(self._folder)
                except (DamagedError, LookupError, TypeError, ValueError, AttributeError):
                    # Nor is a database ours whose settings diskcache can't apply.
                    self._set_aside(inode)
        raise CacheError(f"{self._folder}: the reply cache can't be opened; delete the folder")

    def _open_to_read(self, reason: CacheError) -> BoundedCache:
        """Return the database without write access; raise `reason` where there is none."""
        try:
            self._refuse_links()
            return ReadOnlyCache(self._folder)
        except (CacheError, ForeignDataError, sqlite3.Error, OSError):
            raise reason from None

    @contextmanager
    def _translated_errors(self, written: BoundedCache | None = None) -> Iterator[None]:
        if written is not None and self._inode() != written.inode:  # another process set it aside
            raise DamagedError
        try:
            yield
        except (BusyError, diskcache.Timeout) as error:
            raise CacheError(
                f"{self._folder}: the reply cache stayed locked for {BUSY_SECONDS:g} s; "
                f"end the process that holds it"
            ) from error
        except sqlite3.DatabaseError as error:
            code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
            if code in _DAMAGE:
                raise DamagedError from error
            if code == sqlite3.SQLITE_FULL:
                raise CacheError(
                    f"{self._folder}: the disk is full, and no reply is asked for that can't be "
                    f"kept; make room, or choose another place"
                ) from error
            # SQLite says no more where the process may open no more files
            open_files = code == sqlite3.SQLITE_CANTOPEN
            also = " and that enough files may be open (`ulimit -n`)" if open_files else ""
            raise CacheError(
                f"{self._folder}: the reply cache can't be used: {error}; check that the folder "
                f"is writable and the disk not full{also}"
            ) from error
        except OSError as error:
            raise CacheError(
                f"{self._folder}: the reply cache can't be used: {error.strerror or error}"
            ) from error

    def _refuse_links(self) -> None:
        """Refuse links, pipes and the like: the database must be a file in this folder."""
        for suffix in ("", "-wal", "-shm", "-journal", ".opening"):
            file = self._folder / f"{DATABASE}{suffix}"
            try:
                regular = stat.S_ISREG(file.lstat().st_mode)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise CacheError(
                    f"{self._folder}: the reply cache can't be opened: {error.strerror or error}"
                ) from error
            if not regular:
                raise CacheError(f"{file}: not a file of the reply cache; delete it")

    def _inode(self) -> int | None:
        try:
            return (self._folder / DATABASE).stat().st_ino
        except OSError:
            return None

    def _set_aside(self, inode: int | None) -> None:
        if inode is None or self._inode() != inode:
            return  # another process has already set it aside
        number = 1
        while (self._folder / f"{DATABASE}.corrupt-{number}").exists():
            number += 1
        try:
            for suffix in ("-wal", "-shm", ""):
                file = self._folder / f"{DATABASE}{suffix}"
                if file.exists():
                    file.rename(self._folder / f"{DATABASE}.corrupt-{number}{suffix}")
        except OSError as error:
            raise CacheError(
                f"{self._folder}: the damaged reply cache can't be put aside: "
                f"{error.strerror or error}; delete the folder"
            ) from error
        _log.warning(
            "%s was damaged; it is kept as %s.corrupt-%d, and its replies are requested again",
            self._folder / DATABASE,
            DATABASE,
            number,
        )


def _row(cache: BoundedCache, key: str) -> tuple[object, object]:
    """Return the row's data and when it expires, None without a row of this format."""
    try:
        row: tuple[object, object] = cache.get(key, expire_time=True)
    except (ValueError, RecursionError):  # not JSON, or a row of a foreign format
        return None, None
    return row
