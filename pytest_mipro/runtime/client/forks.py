"""Make anew in a forked process what works in its parent's threads alone.

Of all threads, only the one that forks goes on in the child: what another one held or ran stays so
for ever.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType


def in_each_child(make_anew: Callable[[], object]) -> None:
    """Call this in each process that is forked from this one."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=make_anew)


class ProcessLock:
    """A lock of a module, for the whole process; it is free in a forked one.

    Make none for shorter: a child's locks are made anew for good.
    """

    def __init__(self) -> None:
        self._make_anew()
        in_each_child(self._make_anew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _make_anew(self) -> None:
        self._lock = threading.Lock()
