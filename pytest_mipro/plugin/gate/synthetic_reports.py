"""Report results that belong to no item: verdicts, and differences from a lock in strict mode.

They appear in the summaries and in JUnit XML and decide the exit code. Plugins that select by last
results never see them, as no item answers to their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mipro.plugin.measuring.report_data import attach


def report_result(
    config: pytest.Config,
    nodeid: str,
    title: str,
    problem: ProblemText | None,
    properties: Sequence[tuple[str, object]] = (),
) -> None:
    """Report a result as a test of its own: passed, or failed where there is a problem.

    `properties` are those of its JUnit test case, which pytest writes at the teardown.
    """
    manager = config.pluginmanager
    selectors = [manager.get_plugin(name) for name in ("lfplugin", "stepwiseplugin")]
    log_report = manager.subset_hook_caller(
        "pytest_runtest_logreport", [plugin for plugin in selectors if plugin is not None]
    )
    for when in ("call", "teardown"):
        failed = problem is not None and when == "call"
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(nodeid.partition("::")[0], None, title),
            keywords={},
            outcome="failed" if failed else "passed",
            longrepr=problem if failed else None,  # type: ignore[arg-type] # all pytest asks of it
            when=when,
            user_properties=list(properties),
        )
        attach(report, status="silent")
        log_report(report=report)
        attach(report, status="")  # the summary at the end names it by pytest's own word


class ProblemText:
    """A failed result's text as pytest shows failures: in full, and in one line."""

    def __init__(self, path: str, summary: str, details: Sequence[str] = ()) -> None:
        self.reprcrash = SimpleNamespace(path=path, lineno=0, message=summary)
        self._lines = (summary, *details)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def toterminal(self, writer: Any) -> None:
        """Write the text to pytest's terminal writer."""
        for line in self._lines:
            writer.line(line)
