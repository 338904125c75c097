"""The lock by which runs of one study know of each other: each holds it, shared, until it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, Any

from pytest_mipro.runtime.text.files import HELD, open_lock

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

# How long a run waits for another one that begins the journal anew, which takes milliseconds.
_PATIENCE = 5.0


class RunLock:
    """One run's hold of the lock file at `path`.

    Where there are no such locks, every run takes itself for alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """Hold the lock and return whether no other run does; then none can until `share`.

        Raises OSError where the file can't be made. No link in its place is followed.
        """
        if fcntl is None:
            return True
        self._file = open_lock(self._path)
        alone = self._tried(fcntl.LOCK_EX)
        deadline = time.monotonic() + _PATIENCE
        while not (alone or self._tried(fcntl.LOCK_SH)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return alone

    def share(self) -> None:
        """Let other runs hold the lock, too."""
        if fcntl is not None:
            self._tried(fcntl.LOCK_SH)

    def close(self) -> None:
        """End the hold."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _tried(self, kind: int) -> bool:
        if self._file is None or fcntl is None:
            return True
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in HELD  # others: there are no locks here
        return True
