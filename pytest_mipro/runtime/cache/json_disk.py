"""The disk format of the reply cache: a diskcache of JSON text and nothing else."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import DBNAME, DEFAULT_SETTINGS, METADATA, MODE_RAW

DATABASE: str = DBNAME
BUSY_SECONDS = 5.0
"""How long to wait for a locked database."""
_SETTINGS: dict[str, Any] = {
    **DEFAULT_SETTINGS,  # all of them: diskcache takes missing ones from the database
    "eviction_policy": "none",
    "cull_limit": 0,  # nothing expires
    "statistics": 0,
    "sqlite_mmap_size": 0,  # truncating a mapped file kills the process
}
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master"


class ForeignDataError(ValueError):
    """A row that this format never writes, or a table, trigger or setting not of diskcache's."""


class BusyError(Exception):
    """Another process held the database's lock for longer than `BUSY_SECONDS`."""


class JSONTextDisk(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
    """Text keys and JSON text values, always inside the database.

    diskcache's own disks unpickle what rows, keys and file names tell them to (CVE-2025-69872).
    This one refuses every row that isn't plain text before it reads any of it.
    """

    def put(self, key: object) -> tuple[str, bool]:
        """Return the key as the database holds it; it must be a `str`."""
        if not isinstance(key, str):
            raise TypeError(f"a cache key is a str, got {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        """Return the key of a row; refuse any but plain text."""
        if raw != 1 or not isinstance(key, str):
            raise ForeignDataError("a key that is not plain text")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, str]:  # noqa: ARG002 - diskcache's signature
        """Return the row of a value: its JSON text, never a file."""
        if read:
            raise TypeError("a cache value is JSON data, not an open file")
        text = json.dumps(value, separators=(",", ":"))
        return len(text), MODE_RAW, None, text

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> object:
        """Return the value of a row; refuse any other mode or type, and file names."""
        if read or mode != MODE_RAW or filename is not None or not isinstance(value, str):
            raise ForeignDataError("a value that is not JSON text")
        return json.loads(value)

    def remove(self, file_path: object) -> None:
        """Delete nothing: rows of this format have no files."""


class BoundedCache(diskcache.Cache):  # type: ignore[misc] # diskcache has no types
    """A diskcache whose waits are bounded and whose connections can all be closed.

    diskcache waits up to 60 s for a lock at each statement, and closes only the calling thread's
    connection; Python warns about each one left open.
    """

    def __init__(self, folder: Path) -> None:
        self._database = folder / DATABASE
        self._connections: dict[tuple[int, int], sqlite3.Connection] = {}
        self._closing = threading.Lock()
        try:
            self._refuse_foreign()
            self._initialise()
        except BaseException:
            self.close()
            raise
        self.inode = self._database.stat().st_ino

    def _initialise(self) -> None:
        # Not the folder: diskcache needs none without files, and would expand `~` and `$NAME`
        # in its path as a shell does, and create the resulting folder.
        super().__init__(os.sep, disk=JSONTextDisk, **_SETTINGS)

    def _refuse_foreign(self) -> None:
        """Refuse a database that does more than hold rows, before diskcache obeys its settings.

        diskcache turns each setting that it finds into a pragma or an attribute; a trigger could
        delete replies, and a view in place of the table could compute for ever.
        """
        found = set(self._sql(_SCHEMA).fetchall())
        if not found <= _own_schema():
            raise ForeignDataError("a table, view, index or trigger that is not diskcache's")
        if any(name == "Settings" for _, name, _, _ in found):
            keys = {key for (key,) in self._sql("SELECT key FROM Settings").fetchall()}
            if not keys <= {*_SETTINGS, *METADATA}:
                raise ForeignDataError("a setting that is not diskcache's")

    @property
    def _con(self) -> sqlite3.Connection:
        # One connection per thread, and none across a fork: SQLite forbids its use there.
        owner = (os.getpid(), threading.get_ident())
        connection = self._connections.get(owner)
        if connection is None:
            connection = self._connect()
            # A text with a flipped bit is read as another one, which its row's checksum exposes.
            connection.text_factory = _lenient_text
            self._connections[owner] = connection
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA mmap_size = 0")
            connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9
        return connection

    def _connect(self, query: str = "") -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._database.absolute().as_uri()}{query}",
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # so that `close` can close all of them
            uri=True,
        )

    @property
    def _sql(self) -> Callable[..., sqlite3.Cursor]:
        execute = self._con.execute
        started = time.monotonic()

        def bounded(statement: str, *values: Any) -> sqlite3.Cursor:
            try:
                return execute(statement, *values)
            except sqlite3.OperationalError as error:
                # SQLite reports some locks at once instead of after the busy time-out; diskcache
                # retries these, and may do so until the same time has passed.
                late = time.monotonic() - started >= BUSY_SECONDS
                if late and error.sqlite_errorcode & 0xFF in {
                    sqlite3.SQLITE_BUSY,
                    sqlite3.SQLITE_LOCKED,
                }:
                    raise BusyError from error
                raise

        return bounded

    def close(self) -> None:
        """Close the connections of all threads of this process."""
        with self._closing:
            mine = [owner for owner in self._connections if owner[0] == os.getpid()]
            for owner in mine:
                self._connections.pop(owner).close()


class ReadOnlyCache(BoundedCache):
    """The rows of a database that can't be opened for writing; no lock is taken, no file made.

    SQLite is told that the file doesn't change. If it does, it may find damage or half a row: the
    first counts as no row, the second fails the row's checksum.
    """

    def _initialise(self) -> None:
        self._disk = JSONTextDisk(os.sep)
        self.eviction_policy, self.statistics = "none", 0

    def _connect(self, query: str = "?mode=ro&immutable=1") -> sqlite3.Connection:
        return super()._connect(query)

    def get(self, key: str, **options: Any) -> Any:
        """Return the row's data as diskcache does; a row that can't be read counts as absent."""
        try:
            return super().get(key, **options)
        except sqlite3.DatabaseError as error:
            raise ForeignDataError(str(error)) from error


def _lenient_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


class _InMemory(diskcache.Cache):  # type: ignore[misc] # diskcache has no types
    """A new database as diskcache creates it."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        super().__init__(os.sep, disk=JSONTextDisk, **_SETTINGS)

    @property
    def _con(self) -> sqlite3.Connection:
        return self.connection


@lru_cache(maxsize=1)
def _own_schema() -> frozenset[tuple[str, str, str, str | None]]:
    """Return the rows of `sqlite_master` that the installed diskcache creates."""
    made = _InMemory()
    try:
        return frozenset(made.connection.execute(_SCHEMA).fetchall())
    finally:
        made.connection.close()
