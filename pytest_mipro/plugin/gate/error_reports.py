"""Shorten how errors are reported: no frames of this package, and each repeated error once."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import ProgramError
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.measuring.report_data import ReportData, attach
from pytest_mipro.plugin.replies.circuit_breaker import NOT_TRIED

SAME_ERROR, NEVER_TRIED = "same error", "not tried"
_HEAD_CHARS = 100
_FIRST = pytest.StashKey[dict[str, str]]()
_RUNTIME = str(Path(__file__).parents[2] / "runtime")


def trim_traceback(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
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


def drop_traceback(
    report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException]
) -> pytest.TestReport:
    """Show an error of set-up or infrastructure by its text alone: no user code explains it."""
    if report.failed and not isinstance(excinfo.value, ProgramError):
        shown = excinfo.getrepr(style="value", chain=False)
        if shown.reprcrash is not None:
            text = f"{type(excinfo.value).__name__}: {excinfo.value}"
            shown.reprcrash.message = printable(text)
        for entry in shown.reprtraceback.reprentries:
            entry.lines = [printable(line) for line in entry.lines]
        report.longrepr = shown
    return report


def shorten_repeated_error(
    config: pytest.Config, report: pytest.TestReport, data: ReportData
) -> None:
    """Shorten the report of a case whose error an earlier report shows in full, and mark it.

    Call it where reports come together, before any of them is drawn or written: on pytest-xdist's
    controller, else in the one process. A failure that pytest-rerunfailures repeats does not count.
    """
    if data.case is None or data.status != "error" or report.when != "call" or not report.failed:
        return
    error = data.case.result.outcome.error
    if error.startswith(NOT_TRIED):  # it names the case whose error shows why
        attach(report, status=NEVER_TRIED)
        report.longrepr = _head(error)
        return
    first = config.stash.setdefault(_FIRST, {}).setdefault(
        cause_of(data.case.result.id, error), report.nodeid
    )
    if first != report.nodeid:
        attach(report, status=SAME_ERROR)
        report.longrepr = same_error_line(error, first)


def cause_of(case_id: str, error: str) -> str:
    """Return the error's text without what names the case: equal texts are one cause."""
    return error.replace(case_id, "…")


def same_error_line(error: str, first: str) -> str:
    """Return the beginning of an error, and the case that shows all of it."""
    return f"{_head(error)} (the same error as {first})"


def _head(error: str) -> str:
    error = printable(error)
    return error if len(error) <= _HEAD_CHARS else f"{error[:_HEAD_CHARS]}…"


def count_as_errors(stats: MutableMapping[str, list[Any]]) -> None:
    """Count the cases that were not shown one by one as the errors they are."""
    for status in (SAME_ERROR, NEVER_TRIED):
        if status in stats:
            stats.setdefault("error", []).extend(stats.pop(status))
