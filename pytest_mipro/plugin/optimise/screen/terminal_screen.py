"""Write to the terminal from inside a running item, while what its cases print stays captured."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import (
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
    suppress,
)
from threading import Event, RLock, Thread
from typing import Any, Self, TextIO

import pytest
from _pytest.logging import LogCaptureHandler

from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.optimise.screen.labelled_lines import LABEL_WIDTH
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch

_WIDTH, _LEAST_WIDTH = 80, 30
_HEARTBEAT = 30.0  # seconds
_MUTE = -2  # pytest's verbosity under -qq


class TerminalScreen:
    """Writes through pytest's terminal reporter: little under `-q`, nothing where there is none.

    `live` is True on a terminal, unless under `-qq`: there an area below the lines shows how a
    study goes, and leaves nothing behind. Use it as a `with` block: within it, lines reach the
    terminal while all that cases print stays captured.
    """

    def __init__(self, config: pytest.Config, nodeid: str) -> None:
        self._nodeid = nodeid
        get_plugin: Callable[[str], Any] = config.pluginmanager.get_plugin
        self._reporter = get_plugin("terminalreporter")
        self._capture = get_plugin("capturemanager")
        self._before: Any = None
        self._own: TextIO | None = None
        self._lock = RLock()  # lines come from the study's thread and from the heartbeat's
        self._uncaptured = config.getoption("capture", "fd") == "no"
        verbosity = self._reporter.verbosity if self._reporter else _MUTE
        self._silent, self.verbose = verbosity < 0, verbosity > 0
        dumb = os.environ.get("TERM", "") in ("dumb", "unknown")  # it can't move its cursor
        self.live = bool(verbosity > _MUTE and self._reporter.isatty and not dumb)

    @property
    def width(self) -> int:
        """The columns there are for a line."""
        if self._reporter is None:
            return _WIDTH
        with suppress(OSError, ValueError):  # COLUMNS holds before the terminal, as in pytest
            if self._own is not None and not os.environ.get("COLUMNS"):
                return max(_LEAST_WIDTH, os.get_terminal_size(self._own.fileno()).columns)
        return max(_LEAST_WIDTH, int(self._reporter._tw.fullwidth))  # noqa: SLF001

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
        if going_on and self._reporter.showfspath and not (self._silent or self.verbose):
            # Begin pytest's line of this item anew: its letter stands behind the file's name.
            self._reporter.write_fspath_result(self._nodeid, "")
        with suppress(OSError, ValueError):
            self._reporter.flush()
        if self._own is not None:
            self._reporter._tw._file = self._before  # noqa: SLF001
            with suppress(OSError, ValueError):
                self._own.close()
            self._own = None

    def line(self, text: str, *, always: bool = False, **markup: bool) -> None:
        """Write a line that stays; with `always`, under `-q` too."""
        if self._reporter is not None and (always or not self._silent):
            with self._lock:
                self._reporter.write_line(printable(text), **markup)
                self._reporter.flush()

    @contextmanager
    def watching(self, watch: StudyWatch) -> Iterator[None]:
        """Show how a study goes while the block runs: an area on a terminal, else a line at times.

        All that is written meanwhile, also by others, goes above the area.
        """
        if self.live and self._own is not None:
            with self._area(watch, self._own):
                yield
        elif self._silent:
            yield
        else:
            with heartbeat(lambda: self.line(f"{'':{LABEL_WIDTH}}{watch.line()}")):
                yield

    @contextmanager
    def _area(self, watch: StudyWatch, own: TextIO) -> Iterator[None]:
        from pytest_mipro.plugin.optimise.screen.live_area import AboveArea, live_area  # noqa: PLC0415

        writer = self._reporter._tw  # noqa: SLF001
        self._reporter.ensure_newline()
        drawn = live_area(watch, own, lambda: self.width, colour=bool(writer.hasmarkup))
        above = AboveArea(drawn.console, own)
        writer._file = above  # noqa: SLF001
        try:
            with drawn, ExitStack() as stack:
                if self._uncaptured:  # -s: what cases print would tear the area
                    stack.enter_context(redirect_stdout(above))
                    stack.enter_context(redirect_stderr(above))
                yield
        finally:
            above.finish()
            writer._file = own  # noqa: SLF001


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


@contextmanager
def heartbeat(beat: Callable[[], None], seconds: float = _HEARTBEAT) -> Iterator[None]:
    """Call `beat` from another thread each so many seconds, as long as the block runs."""
    end = Event()

    def beats() -> None:
        while not end.wait(seconds):
            beat()

    thread = Thread(target=beats, name="mipro-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
