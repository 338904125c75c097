"""One mistake, many cases: the first case that shows an error tells it, the others are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SAME_ERROR = "same error"
_HEAD_CHARS = 100
_FIRST = pytest.StashKey[dict[str, str]]()


def tell_once(config: pytest.Config, report: pytest.TestReport, data: dict[str, Any]) -> None:
    """Shorten the report of a case whose error another one has told, and mark it as such.

    It is called where reports come together, before any of them is drawn or written: on
    pytest-xdist's controller, else in the one process. A run that is to be repeated
    (pytest-rerunfailures) tells nothing yet.
    """
    if data["status"] != "error" or report.when != "call" or not report.failed:
        return
    case = data["case"]
    error = case["outcome"]["error"]
    known = config.stash.setdefault(_FIRST, {})
    first = known.setdefault(cause_of(case["id"], error), report.nodeid)
    if first != report.nodeid:
        data["status"] = SAME_ERROR
        report.longrepr = said_already(error, first)


def cause_of(case_id: str, error: str) -> str:
    """Return the error's text without what names the case: equal texts are one cause."""
    return error.replace(case_id, "…")


def said_already(error: str, first: str) -> str:
    """Return the short line for a later case: the error's beginning, and where all of it stands."""
    head = error if len(error) <= _HEAD_CHARS else f"{error[:_HEAD_CHARS]}…"
    return f"{head} (the same error as {first})"


def count_as_errors(stats: MutableMapping[str, list[Any]]) -> None:
    """Count the cases that were not shown one by one as the errors they are."""
    untold = stats.pop(SAME_ERROR, [])
    if untold:
        stats.setdefault("error", []).extend(untold)
