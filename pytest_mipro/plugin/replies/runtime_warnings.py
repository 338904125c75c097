"""Show the runtime's warnings on the terminal at once: why a run waits, why a cache was replaced.

They go to the standard error from before pytest captured it, on workers of pytest-xdist too.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from pytest_mipro.runtime.text.redaction import one_line

_RUNTIME = logging.getLogger("pytest_mipro.runtime")


@contextmanager
def warnings_on_terminal() -> Iterator[None]:
    """Show the runtime's warnings while the block runs; enter it while nothing is captured."""
    stream = _own_stream()
    handler = _WarningLines(stream)
    _RUNTIME.addHandler(handler)
    try:
        yield
    finally:
        _RUNTIME.removeHandler(handler)
        if stream is not sys.stderr:
            with suppress(OSError, ValueError):
                stream.close()


def _own_stream() -> TextIO:
    """Return a copy of standard error that no later capture redirects; itself if it is no file."""
    try:
        sys.stderr.flush()
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):  # no file: pytest inside of another program
        return sys.stderr


class _WarningLines(logging.Handler):
    """Writes each warning once, on its own line: many calls may wait for the same reason."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.WARNING)
        self._stream = stream
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        if text in self._shown:
            return
        self._shown.add(text)
        with suppress(OSError, ValueError):  # a terminal that is gone stops no run
            self._stream.write(f"\nmipro: {text}\n")
            self._stream.flush()
