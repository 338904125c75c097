"""Write to the terminal from inside a running item, while what its cases print stays captured."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import TextIOBase
from typing import Any, Self

import pytest
from _pytest.logging import LogCaptureHandler

from pytest_mipro.plugin.config.printable import printable


class TerminalScreen:
    """Writes through pytest's terminal reporter: little under `-q`, nothing where there is none.

    `live` is True on a terminal: there a status line is rewritten in place. Use it as a `with`
    block: within it, lines reach the terminal while all that cases print stays captured.
    """

    def __init__(self, config: pytest.Config, nodeid: str) -> None:
        self._nodeid = nodeid
        get_plugin: Callable[[str], Any] = config.pluginmanager.get_plugin
        self._reporter = get_plugin("terminalreporter")
        self._capture = get_plugin("capturemanager")
        self._shown = False
        self._before: Any = None
        self._own: TextIOBase | None = None
        self._silent = self._reporter is None or self._reporter.verbosity < 0
        self.live = bool(not self._silent and self._reporter.isatty)

    def __enter__(self) -> Self:
        if self._reporter is None:
            return self
        # Under capture the reporter's file descriptor leads to the capture. To lift that for each
        # line would let through what other threads print meanwhile, so lines get a way of their
        # own: a copy of the descriptor, made while nothing is captured.
        writer = self._reporter._tw  # noqa: SLF001 - pytest has no public way to its file
        self._before = writer._file  # noqa: SLF001
        capture = self._capture
        uncaptured = capture.global_and_fixture_disabled() if capture else nullcontext()
        with uncaptured, suppress(OSError, ValueError, AttributeError):
            self._before.flush()
            self._own = os.fdopen(
                os.dup(self._before.fileno()),
                "w",
                encoding=getattr(self._before, "encoding", None) or "utf-8",
                errors=getattr(self._before, "errors", None) or "replace",
            )
        if self._own is not None:
            writer._file = self._own  # noqa: SLF001
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._reporter is None:
            return
        going_on = kind is None or issubclass(kind, Exception)
        if going_on and self._reporter.showfspath and not self._silent:
            # Begin pytest's line of this item anew: its letter stands behind the file's name.
            self._erase()
            self._reporter.write_fspath_result(self._nodeid, "")
        with suppress(OSError, ValueError):
            self._erase()
            self._reporter.flush()
        if self._own is not None:
            self._reporter._tw._file = self._before  # noqa: SLF001
            with suppress(OSError, ValueError):
                self._own.close()
            self._own = None

    def line(self, text: str, *, always: bool = False, **markup: bool) -> None:
        """Write a line that stays; with `always`, under `-q` too."""
        if self._reporter is not None and (always or not self._silent):
            self._erase()
            self._reporter.write_line(printable(text), **markup)
            self._reporter.flush()

    def status(self, text: str) -> None:
        """Show a line that the next one replaces; it is cut at the terminal's width."""
        if self.live:
            if not self._shown:
                self._reporter.ensure_newline()
            text = printable(text)
            width = max(20, shutil.get_terminal_size().columns - 4)
            self._rewrite(text if len(text) <= width else f"{text[: width - 1]}…")
            self._shown = True

    def _erase(self) -> None:
        if self._shown:
            self._rewrite("")
            self._shown = False

    def _rewrite(self, text: str) -> None:
        """Replace the line. The cursor stays behind the text, so that a typed ^C finds room."""
        if self._reporter.hasmarkup:
            self._reporter.write_raw(f"\r{text}\x1b[K")
        else:
            self._reporter.rewrite(text, erase=True)
        if not text:
            self._reporter.write_raw("\r")
        self._reporter.flush()


@contextmanager
def captured_logging_off() -> Iterator[None]:
    """Keep the log records of trials out of pytest's report: thousands of cases would pile up."""
    root = logging.getLogger()
    handlers = [handler for handler in root.handlers if isinstance(handler, LogCaptureHandler)]
    for handler in handlers:
        root.removeHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.addHandler(handler)
