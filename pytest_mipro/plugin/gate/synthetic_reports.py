"""Results that belong to no item: verdicts, and the difference from a lock in strict mode.

They stand in the summaries and in JUnit XML and decide the exit code, on pass too; plugins that
select by last results never see them, as no item answers to their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence


def announce_result(
    config: pytest.Config,
    nodeid: str,
    what: str,
    problem: ProblemText | None,
    properties: Sequence[tuple[str, object]] = (),
) -> None:
    """Report a result as a test of its own: passed, or failed where there is a problem.

    `properties` are those of its JUnit test case. They are written with the report of the teardown,
    as those of any test.
    """
    path = nodeid.partition("::")[0]
    for when in ("call", "teardown"):
        failed = problem is not None and when == "call"
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(path, None, what),
            keywords={},
            outcome="failed" if failed else "passed",
            longrepr=problem if failed else None,  # type: ignore[arg-type] # all pytest asks of it
            when=when,
            user_properties=list(properties),
        )
        report.mipro = {"status": "silent"}  # type: ignore[attr-defined]
        _fire(config, report)
        report.mipro = {"status": "verdict"}  # type: ignore[attr-defined] # now it has a word


def _fire(config: pytest.Config, report: pytest.TestReport) -> None:
    manager = config.pluginmanager
    selectors = [manager.get_plugin(name) for name in ("lfplugin", "stepwiseplugin")]
    caller = manager.subset_hook_caller(
        "pytest_runtest_logreport", [plugin for plugin in selectors if plugin is not None]
    )
    caller(report=report)


class ProblemText:
    """A failed result's text as pytest shows failures: in full, and in one line."""

    def __init__(self, path: str, words: str, details: Sequence[str] = ()) -> None:
        self.reprcrash = _Crash(path, 0, words)
        self._lines = (words, *details)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def toterminal(self, writer: Any) -> None:
        """Write the text to pytest's terminal writer."""
        for line in self._lines:
            writer.line(line)


class _Crash:
    """Where and what, in one line; pytest's summary and JUnit read it."""

    def __init__(self, path: str, lineno: int, message: str) -> None:
        self.path = path
        self.lineno = lineno
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"
