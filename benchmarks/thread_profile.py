"""A sampling profiler of all threads by processor time: which package burns it, in which thread.

`start(path)` begins in the running process; at its exit the table is written to the path. Each
sample gives the processor time that a thread used since the last one to the innermost frame's
package, so that threads which wait weigh nothing.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_INTERVAL = 0.004
_SHOWN = 14


class Sampler:
    """Samples from a thread of its own until `stop`."""

    def __init__(self) -> None:
        self.threads: Counter[str] = Counter()
        self.packages: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self._used: dict[int, float] = {}
        self._began = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profile", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the sampling."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_INTERVAL):
            frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
            for thread in threading.enumerate():
                if thread.ident in frames and thread is not self._thread:
                    self._sample(thread, frames[thread.ident])

    def _sample(self, thread: threading.Thread, frame: FrameType) -> None:
        ident = thread.ident or 0
        try:
            used = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:  # it has ended
            return
        spent = used - self._used.get(ident, used)
        self._used[ident] = used
        if spent > 0:
            kind = thread.name.rstrip("0123456789-_")
            self.threads[kind] += spent
            self.packages[f"{kind}: {_package(frame)}"] += spent
            self.places[f"{kind}: {_place(frame)}"] += spent

    def table(self) -> str:
        """Return the shares of processor time as text."""
        wall = time.monotonic() - self._began
        total = sum(self.threads.values())
        lines = [f"  processor {total:.1f} s in {wall:.1f} s: {total / wall:.2f} cores"]
        for title, counts in (
            ("thread", self.threads),
            ("thread and package", self.packages),
            ("thread and function", self.places),
        ):
            lines.append(f"  by {title}")
            lines += [
                f"    {spent / total:4.0%}  {name}" for name, spent in counts.most_common(_SHOWN)
            ]
        return "\n".join(lines)


def _package(frame: FrameType) -> str:
    """Return the package outside the standard library that the frame works for."""
    current: FrameType | None = frame
    while current is not None:
        name = str(current.f_globals.get("__name__", "?"))
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names:
            return ".".join(name.split(".")[:2]) if top == "pytest_mipro" else top
        current = current.f_back
    return str(frame.f_globals.get("__name__", "?")).partition(".")[0]


def _place(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}"


def start(path: str) -> None:
    """Profile this process until its exit, and write the table to the path."""
    sampler = Sampler()

    def write() -> None:
        sampler.stop()
        Path(path).write_text(sampler.table(), encoding="utf-8")

    atexit.register(write)
