"""The state of one pytest run with marked tests: what is planned, what came back, the verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.collecting.marks import MARK
from pytest_mipro.plugin.gate.junit import verdict_properties
from pytest_mipro.plugin.gate.state import RunState, state_of
from pytest_mipro.plugin.gate.synthetic_reports import ProblemText, report_result

if TYPE_CHECKING:
    from pytest_mipro.plugin.gate.verdict import Verdict


def begin(session: pytest.Session) -> None:
    """Begin the marked part of a run: the plain gate, or the optimisation of its studies."""
    from pytest_mipro.plugin.config.options import options_of  # noqa: PLC0415
    from pytest_mipro.plugin.lock.write_journal import finish_interrupted_writes  # noqa: PLC0415

    state = state_of(session.config)
    try:
        finish_interrupted_writes(session.config)
        if options_of(session.config).optimize:
            from pytest_mipro.plugin.optimise.capture_hooks import begin_optimize  # noqa: PLC0415 - imports optuna

            begin_optimize(state, session)
        elif not session.config.option.collectonly:
            from pytest_mipro.plugin.gate.case_hooks import Gate  # noqa: PLC0415
            from pytest_mipro.plugin.gate.update_lock import refuse_partial_selection  # noqa: PLC0415

            state.begin(session.items)
            if state.cases:
                session.config.pluginmanager.register(Gate(state), "mipro-gate")
            if options_of(session.config).update_lock:
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


def announce(state: RunState) -> None:
    """Judge the tests and report each verdict as a result of its own."""
    for verdict in state.conclude():
        if verdict.judged:
            plan = verdict.plan
            # A test without parameters has a case of the same id.
            nodeid = f"{plan.nodeid}[verdict]" if plan.expected <= 1 else plan.nodeid
            name = nodeid.partition("::")[2]
            problem = _problem(state, verdict) if verdict.status != "passed" else None
            properties = verdict_properties(verdict)
            report_result(state.config, nodeid, f"verdict on {name}", problem, properties)


def _problem(state: RunState, verdict: Verdict) -> ProblemText:
    from pytest_mipro.plugin.report.terminal import failure_lines  # noqa: PLC0415

    incomplete = verdict.status == "incomplete"
    words = f"incomplete: {verdict.reason}" if incomplete else verdict.reason
    details = failure_lines(verdict, everything=state.config.get_verbosity() > 0)
    return ProblemText(verdict.plan.nodeid.partition("::")[0], words, details)
