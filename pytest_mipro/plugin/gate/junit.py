"""Report verdicts and drift as test cases of their own, and name the properties in JUnit XML.

They belong to no item, but appear in the summaries and in JUnit XML and decide the exit code.
Plugins that select by last results never see them, as no item answers to their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pytest

from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult, attach
from pytest_mipro.plugin.measuring.shown_calls import case_text
from pytest_mipro.runtime.text.redaction import one_line

PREFIX = "mipro_"
Properties = list[tuple[str, object]]


def case_properties(result: CaseResult, *, show: bool) -> Properties:
    """Return a case's properties: score and metrics where it has them, and what its calls took.

    With `show` also its calls, as one text.
    """
    outcome, usage = result.outcome, result.usage
    found: Properties = [] if outcome.score is None else [(f"{PREFIX}score", outcome.score)]
    found += [(f"{PREFIX}metric_{one_line(n, 80)}", value) for n, value in outcome.metrics.items()]
    found += [(f"{PREFIX}calls", usage.calls), (f"{PREFIX}tokens", usage.tokens)]
    if usage.cost is not None:
        found.append((f"{PREFIX}cost", usage.cost))
    if show and result.shown:
        found.append((f"{PREFIX}show", printable(case_text(result.shown))))
    return found


def verdict_properties(verdict: Verdict) -> Properties:
    """Return a verdict's properties: mean with interval, limits, and the lift over the lock."""
    plan, comparison = verdict.plan, verdict.comparison
    found: dict[str, object] = {
        "status": verdict.status,
        "judged_on": verdict.judged_on,
        "cases": verdict.whole.cases,
    }
    for name, mean in (("", verdict.whole), ("holdout_", verdict.holdout)):
        if mean is not None and mean.mean is not None:
            low, high = mean.interval.low, mean.interval.high
            found |= {f"{name}mean": mean.mean, f"{name}low": low, f"{name}high": high}
    limits = {name: getattr(plan, name) for name in ("threshold", "confidence", "max_regression")}
    found |= {name: value for name, value in limits.items() if value is not None}
    found |= {"model": plan.model} if plan.model else {}
    if comparison is not None:
        lift = comparison.lift
        found |= {"lift": lift.mean, "lift_low": lift.low, "lift_high": lift.high}
    return [(f"{PREFIX}{name}", value) for name, value in found.items()]


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
            longrepr=problem if failed else None,
            when=when,
            user_properties=list(properties),
        )
        attach(report, status="silent")
        log_report(report=report)
        attach(report, status="")  # the summary at the end names it by pytest's own word


@dataclass(frozen=True)
class _Crash:
    """Where pytest's short summary takes its line from; `--tb=line` prints it as a text."""

    path: str
    message: str
    lineno: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ProblemText(str):
    """A failed result's text as pytest shows failures: in full, and in one line.

    It is a text, the one line, to what passes reasons on: annotations of GitHub, and pytest's short
    summary, which in CI shows the whole of it.
    """

    reprcrash: _Crash
    _lines: Sequence[str]

    def __new__(cls, path: str, summary: str, details: Sequence[str] = ()) -> Self:
        """Take the file, the one line, and what follows it in full."""
        text = super().__new__(cls, printable(summary))
        text.reprcrash = _Crash(path, printable(summary))
        text._lines = tuple(map(printable, (summary, *details)))
        return text

    def __str__(self) -> str:
        """Return the text in full, as JUnit files hold it."""
        return "\n".join(self._lines)

    def __format__(self, spec: str) -> str:
        """Return the one line: `str()` of it is another text."""
        return format(self.reprcrash.message, spec)

    def toterminal(self, writer: Any) -> None:
        """Write the text to pytest's terminal writer."""
        for line in self._lines:
            writer.line(line)
