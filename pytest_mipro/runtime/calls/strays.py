"""Keep what cases do out of sight: errors of threads and child processes without their context.

What runs there is neither traced, nor recorded, nor bounded by a budget, so it is refused; and as a
pipeline may swallow the refusal, it is kept for the case. A child process learns from its
environment that it works for a case, and reports through a file, whatever started it.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from pytest_mipro.errors import DetachedCallError, InfrastructureError

_VARIABLE = "PYTEST_MIPRO_CASE_PROCESS"
_OFFLINE, _ONLINE = "offline", "online"


class Strays:
    """Errors that no case's trace could remember, of this process and its children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: list[InfrastructureError] = []
        self.found = False
        """Whether there ever was one of this process."""

    def add(self, error: InfrastructureError) -> None:
        """Keep an error."""
        with self._lock:
            self._errors.append(error)
            self.found = True

    def taken(self) -> list[InfrastructureError]:
        """Return the errors kept since the last call, those of child processes last."""
        with self._lock:
            errors, self._errors = self._errors, []
        return [*errors, *_child_reports().taken()]


class _ChildReports:
    """The file that child processes report to; the first of them makes it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir(), f"pytest-mipro-{secrets.token_hex(8)}")
        self._read = 0

    def taken(self) -> list[InfrastructureError]:
        try:
            if self.path.stat().st_size == self._read:
                return []
            new = self.path.read_bytes()[self._read :]
        except OSError:  # no child had anything to report
            return []
        whole = new[: new.rfind(b"\n") + 1]  # another child may be writing
        self._read += len(whole)
        return [DetachedCallError(line) for line in whole.decode(errors="replace").splitlines()]

    def forget(self) -> None:
        with suppress(OSError):
            self.path.unlink()
        self._read = 0


_child_reports = cache(_ChildReports)


def forget_child_reports() -> None:
    """Remove the file of child processes, if there is one."""
    _child_reports().forget()


@contextmanager
def telling_children(*, offline: bool) -> Iterator[None]:
    """Tell processes that start in the block that they work for a case, and whether offline."""
    before = os.environ.get(_VARIABLE)
    mode = _OFFLINE if offline else _ONLINE
    os.environ[_VARIABLE] = f"{mode}:{os.getpid()}:{_child_reports().path}"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


def works_for_a_case() -> bool:
    """Return whether another process started this one, directly or not, while it ran a case."""
    _, parent, _ = _given()
    return parent not in ("", str(os.getpid()))


def is_offline_child() -> bool:
    """Return whether such a process may not leave the machine either."""
    return works_for_a_case() and _given()[0] == _OFFLINE


def _given() -> tuple[str, str, str]:
    mode, _, rest = os.environ.get(_VARIABLE, "").partition(":")
    parent, _, path = rest.partition(":")
    return mode, parent, path


def report_to_parent(error: InfrastructureError) -> None:
    """Append the error to the file of the process that runs the case."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with suppress(OSError):  # the pipeline gets the error in any case
        file = os.open(_given()[2], flags, 0o600)
        try:
            os.write(file, f"{' '.join(str(error).split())}\n".encode("utf-8", "replace"))
        finally:
            os.close(file)
