"""Tracebacks of the package's own errors: the user's frames, none of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.errors import ProgramError

if TYPE_CHECKING:
    import pytest

_RUNTIME = str(Path(__file__).parents[2] / "runtime")


def tidy(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """End the traceback at the user's call of the module, and drop what caused the error."""
    error = excinfo.value
    error.__cause__ = None
    error.__suppress_context__ = True
    entry = error.__traceback__
    while entry is not None:
        inner = entry.tb_next
        if inner is not None and inner.tb_frame.f_code.co_filename.startswith(_RUNTIME):
            entry.tb_next = None
            return
        entry = inner


def without_traceback(
    report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException]
) -> pytest.TestReport:
    """Show an error of set-up or world by its text alone: no place in user code explains it."""
    if report.failed and not isinstance(excinfo.value, ProgramError):
        shown = excinfo.getrepr(style="value", chain=False)
        if shown.reprcrash is not None:
            shown.reprcrash.message = f"{type(excinfo.value).__name__}: {excinfo.value}"
        report.longrepr = shown
    return report
