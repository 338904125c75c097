"""Keep the rows of the reply cache in memory, for `--mipro-cache=off`."""

from __future__ import annotations

import threading
import time


class MemoryStore:
    """Rows by text key, with the methods of `Store`. Thread-safe."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[object, float | None]] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> object:
        """Return the row's data, None if there is none."""
        return self.get_until(key)[0]

    def get_until(self, key: str) -> tuple[object, float | None]:
        """Return the row's data and when it expires (Unix seconds; None: never)."""
        row, until = self._rows.get(key, (None, None))
        return (None, None) if until is not None and until <= time.time() else (row, until)

    def set(self, key: str, value: object) -> None:
        """Write a row."""
        self._rows[key] = value, None

    def exchange(
        self, key: str, expected: object, value: object, seconds: float | None = None
    ) -> bool:
        """Write the row if it holds `expected` (None: no row), and return whether it did."""
        with self._lock:
            if self.get(key) != expected:
                return False
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value, None if seconds is None else time.time() + seconds
            return True

    def close(self) -> None:
        """Forget all rows."""
        self._rows.clear()
