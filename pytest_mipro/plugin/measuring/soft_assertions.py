"""Take what soft assertions found: pytest-check and pytest-assume keep it for the test's report.

A test that is called repeatedly, or concurrently, has one report for all its calls. So each call
takes its own failures, which then count as those of `assert`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

import pytest
from _pytest.outcomes import Failed

from pytest_mipro.errors import ConfigurationError

_CHECK, _ASSUME = "pytest_check.check_log", "pytest_assume.plugin"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_SET_UP = {"fail_function", "max_fail", "max_report", "max_tb", "max_tb_line"}  # by a conftest.py
_HEAD = "FAILURE: "  # of each failure of pytest-check
_PLACE = re.compile(r".*: AssumptionFailure\n>>\s*")  # of each one of pytest-assume
_ONE_LIST = (
    "{} keeps the failures of all threads in one list, so --mipro-optimize can't tell whose they "
    "are; use assert{}"
)


class SoftFailure(Failed):
    """Soft assertions failed in a call: the text is for people, `feedback` what each one says."""

    __module__, __qualname__ = "builtins", "Failed"  # pytest names it as what pytest.fail raises

    def __init__(self, failures: Sequence[str], feedback: Sequence[str]) -> None:
        super().__init__("\n".join(failures), pytrace=False)
        self.feedback = "\n".join(feedback)


@contextmanager
def soft_assertions(*, concurrent: bool) -> Iterator[Callable[[], BaseException | None]]:
    """Give a function that returns what soft assertions in the block come to, None where all held.

    With `concurrent` other calls run beside this one. Then failures that may be theirs are a
    ConfigurationError.
    """
    log: Any = sys.modules.get(_CHECK)
    own = hasattr(log, "_state_var") and hasattr(log, "_CheckState")
    token = log._state_var.set(_new_state(log)) if own else None  # noqa: SLF001 - no public way
    try:
        yield lambda: _checked(log, shared=concurrent and not own) or _assumed(concurrent)
    finally:
        if token is not None:
            log._state_var.reset(token)  # noqa: SLF001


def _new_state(log: Any) -> Any:
    """Return an empty state of pytest-check, set up as the one that it has at work."""
    state, at_work = log._CheckState(), log._state_var.get(None)  # noqa: SLF001 - no public way
    for name in _SET_UP:
        if hasattr(at_work, name):
            setattr(state, name, getattr(at_work, name))
    return state


def stops_at_failures(error: BaseException) -> bool:
    """Return whether it ends a call after failed checks, as by `-x`, and says nothing of them."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    raised_by = frames[-1].f_globals.get("__name__", "") if frames else ""
    return isinstance(error, AssertionError) and raised_by == _CHECK


def _checked(log: Any, *, shared: bool) -> BaseException | None:
    """Return what pytest-check found, and forget it."""
    failures = log.get_failures() if log is not None else ()
    if not failures:
        return None
    reason = getattr(log, "get_xfailed_failure", str)()
    log.clear_failures()
    if shared:
        return ConfigurationError(_ONE_LIST.format("this pytest-check", ", or upgrade it"))
    if reason:
        return pytest.xfail.Exception(reason)
    plain = [_ANSI.sub("", failure) for failure in failures]
    return SoftFailure(plain, [_said(text) for text in plain])


def _said(failure: str) -> str:
    """Return what failed; of a `check.raises` to which nothing was raised, the line of the test."""
    message, _, place = failure.removeprefix(_HEAD).partition("\n")
    if message not in ("", "None"):
        return message
    return place.partition("\n")[0].partition(" -> ")[2] or "a check failed"


def _assumed(shared: bool) -> BaseException | None:
    """Return what pytest-assume found, and forget it."""
    kept: list[Any] = getattr(sys.modules.get(_ASSUME), "_FAILED_ASSUMPTIONS", [])
    found = [str(each.entry).rstrip() for each in kept]
    kept.clear()
    if found and shared:
        return ConfigurationError(_ONE_LIST.format("pytest-assume", ""))
    return SoftFailure(found, [_PLACE.sub("", text) for text in found]) if found else None
