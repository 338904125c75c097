"""Begin, judge and summarise the marked part of a run: the plain gate, or the optimisation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.collecting.marks import MARK
from pytest_mipro.plugin.config.cache_folder import write_cache_line
from pytest_mipro.plugin.config.options import is_verbose, options_of
from pytest_mipro.plugin.config.printable import PrintableTerminal, printable
from pytest_mipro.plugin.config.redaction import hidden_line
from pytest_mipro.plugin.gate.drift import report_drift
from pytest_mipro.plugin.gate.error_reports import shorten_repeated_error
from pytest_mipro.plugin.gate.junit import ProblemText, report_result, verdict_properties
from pytest_mipro.plugin.gate.provenance import record_provenance, record_replies
from pytest_mipro.plugin.gate.update_lock import UPDATE_LOCK, UpdateLock, refuse_partial_selection
from pytest_mipro.plugin.gate.usage_file import keep_paid, keep_usage
from pytest_mipro.plugin.gate.write_replies import record_at_end
from pytest_mipro.plugin.measuring.report_data import attached

if TYPE_CHECKING:
    from pytest_mipro.plugin.gate.state import RunState
    from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
    from pytest_mipro.plugin.measuring.report_data import MeasuredCase


_STATUS: dict[str, tuple[str, str, tuple[str, dict[str, bool]]]] = {
    "missed": ("missed", "m", ("MISSED", {"yellow": True})),
    "captured": ("captured", "c", ("CAPTURED", {"cyan": True})),
    "error": ("error", "E", ("ERROR", {"red": True})),
    # Not shown one by one: the first case with this error shows it.
    "same error": ("same error", "E", ("SAME ERROR", {"red": True})),
    "not tried": ("not tried", "E", ("NOT TRIED", {"red": True})),
}


def begin(state: RunState, session: pytest.Session) -> None:
    """Begin the marked part of a run: the plain gate, or the optimisation of its studies."""
    from pytest_mipro.plugin.lock.write_journal import finish_interrupted_writes  # noqa: PLC0415
    from pytest_mipro.plugin.measuring.feedback import ComparisonHook  # noqa: PLC0415

    try:
        finish_interrupted_writes(session.config)
        session.config.pluginmanager.register(ComparisonHook(), "mipro-comparisons")
        if options_of(session.config).optimize:
            from pytest_mipro.plugin.optimise.capture_hooks import begin_optimize  # noqa: PLC0415 - imports optuna

            begin_optimize(state, session)
        elif not session.config.option.collectonly:
            from pytest_mipro.plugin.gate.case_hooks import Gate  # noqa: PLC0415
            from pytest_mipro.plugin.replies.fixture_calls import trace_fixtures  # noqa: PLC0415

            state.begin(session.items)
            if state.cases:
                gate = Gate(state, trace_fixtures(session.config))
                session.config.pluginmanager.register(gate, "mipro-gate")
            failed = session.testsfailed or sys.exc_info()[0]  # to collect: pytest tells why
            if options_of(session.config).update_lock and not failed:
                refuse_partial_selection(state)
    except UsageError as error:
        if not hasattr(session.config, "workerinput"):
            raise pytest.UsageError(str(error)) from None
        # A worker that ends at collection ends without a word: its tests say it.
        session.config.pluginmanager.register(_Refusal(str(error)), "mipro-refusal")


class _Refusal:
    """Fails every marked test with the same line."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if item.get_closest_marker(MARK) is not None:
            pytest.fail(self._problem, pytrace=False)


def record_report(state: RunState, report: pytest.TestReport) -> None:
    """Keep what is attached to a case's report, in the process where reports come together."""
    data = attached(report)
    if data is None:
        return
    record_replies(state.config, report, data)
    if options_of(state.config).replies == "record":
        record_at_end(state)
    if data.case is not None:
        state.record(report.nodeid, data.case)
        record_provenance(state.config, data.case)
        _show_steps(state.config, report, data.case)
        shorten_repeated_error(state.config, report, data)


def _show_steps(config: pytest.Config, report: pytest.TestReport, measured: MeasuredCase) -> None:
    """Show what the modules gave below a failure that no verdict repeats."""
    result = measured.result
    if not report.failed or measured.plan.gated or options_of(config).show:
        return
    from pytest_mipro.plugin.report.case_lines import Lines, step_lines  # noqa: PLC0415

    outcome = result.outcome
    known = outcome.error or outcome.failure or outcome.feedback
    if lines := step_lines(result, known, Lines(is_verbose(config))):
        report.sections.append(("mipro: what the modules gave", printable("\n".join(lines))))


def status_of(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, Any] | None:
    """Return the category, letter and word of an outcome that only marked tests have."""
    data, when = attached(report), getattr(report, "when", None)
    status = data.status if data is not None else ""
    if status == "silent":  # a verdict: counted once, and shown by the study's block
        return report.outcome if when == "call" else "", "", ""
    if status == "missed" and not report.passed:
        return None  # judged by itself, so an ordinary failure
    if when != "call" or report.skipped:
        return None
    if status == "error" and not report.failed:
        return None  # it will be run again, and that is another plugin's to name
    return _STATUS.get(status)


def bill_cases(state: RunState) -> None:
    """Bill what the cases took that ran."""
    keep_paid(state.config, state.usages)


def judge_tests(state: RunState) -> None:
    """Judge the tests, and report each verdict and each difference as a result of its own."""
    verdicts = state.conclude()
    if not state.stopped:
        keep_usage(state.config, verdicts)
    for verdict in verdicts:
        if verdict.judged:
            plan = verdict.plan
            # A test without parameters has a case of the same id.
            nodeid = f"{plan.nodeid}[verdict]" if plan.expected <= 1 else plan.nodeid
            name = nodeid.partition("::")[2]
            problem = _problem(state, verdict) if verdict.status != "passed" else None
            properties = verdict_properties(verdict)
            report_result(state.config, nodeid, f"verdict on {name}", problem, properties)
    report_drift(state)
    if options_of(state.config).update_lock:
        state.config.pluginmanager.register(UpdateLock(state), UPDATE_LOCK)


def summarise(state: RunState, terminal: Any) -> None:
    """Write a block for each study, what differs from its lock, and the size of the cache."""
    terminal = PrintableTerminal(terminal)
    if state.verdicts:
        from pytest_mipro.plugin.report.terminal import write_lock_summary, write_summary  # noqa: PLC0415

        if options_of(state.config).show:
            from pytest_mipro.plugin.report.case_calls import write_calls  # noqa: PLC0415

            write_calls(terminal, state.verdicts)
        write_summary(terminal, state)
        write_lock_summary(terminal, state)
    from pytest_mipro.plugin.report.terminal import write_troubles  # noqa: PLC0415

    write_troubles(terminal, state.config)
    write_cache_line(terminal, state.config)
    outcomes = (result.outcome for verdict in state.verdicts for result in verdict.results)
    texts = (text for each in outcomes for text in (each.feedback, each.error, each.failure))
    if line := hidden_line(state.config, texts):
        terminal.write_line(f"mipro: {line}")


def _problem(state: RunState, verdict: Verdict) -> ProblemText:
    from pytest_mipro.plugin.report.terminal import failure_lines  # noqa: PLC0415

    incomplete = verdict.status == "incomplete"
    words = f"incomplete: {verdict.reason}" if incomplete else verdict.reason
    details = failure_lines(verdict, everything=is_verbose(state.config))
    return ProblemText(verdict.plan.nodeid.partition("::")[0], words, details)
