"""Run each case of a marked test as the ordinary test it is, and report how it ended."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

import pytest

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.optimizer.study.identity import seen_digest
from pytest_mipro.plugin.collecting.partial_study import is_partial
from pytest_mipro.plugin.collecting.plan import PLANNED, PlannedCase
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.gate.call_usage import paid_within, usages_of, usages_of_set_ups
from pytest_mipro.plugin.gate.case_run import RecordedCall, encodable, group_of, recording
from pytest_mipro.plugin.gate.junit import PREFIX, case_properties
from pytest_mipro.plugin.gate.state import RunState
from pytest_mipro.plugin.lock.lock_builder import call_key, locked_module
from pytest_mipro.plugin.lock.lock_file import LockedModule
from pytest_mipro.plugin.measuring.measure import case_status
from pytest_mipro.plugin.measuring.report_data import (
    CaseResult,
    MeasuredCase,
    attach,
    crash_text,
    skip_reason,
)
from pytest_mipro.plugin.replies.circuit_breaker import NOT_TRIED
from pytest_mipro.plugin.replies.fixture_calls import FixtureCalls, SetUp, first_error
from pytest_mipro.plugin.replies.serving import watching_cases
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt

_RUN = pytest.StashKey[RecordedCall | None]()


class Gate:
    """The hooks of a plain run with marked tests."""

    def __init__(self, state: RunState, fixtures: FixtureCalls) -> None:
        self._fixtures = fixtures
        self._studies = {
            key: (is_partial(state.config, key, members), len(members))
            for key, members in state.studies.items()
        }
        self._lost: dict[str, str] = {}
        self._sent: set[tuple[Path, tuple[str, str, str]]] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Replace the test function by a recording wrapper while it is called.

        Once a case of a test has called modules out of sight, its others would pay for nothing.
        """
        __tracebackhide__ = _has_frames  # what another plugin's hook raises is shown from there on
        case = item.stash.get(PLANNED, None)
        if case is None or not isinstance(item, pytest.Function):
            return (yield)
        function, test = item.obj, case.test.nodeid
        lost = f"{NOT_TRIED}{self._lost[test]}" if test in self._lost else ""
        with watching_cases(item.config) as strays:
            run = item.stash[_RUN] = RecordedCall(case, strays, self._fixtures.of(item), lost)
            try:
                item.obj = recording(function, run)
                return (yield)
            finally:
                item.obj = function
                if run.lost:
                    self._lost.setdefault(test, f"{case.id}: {run.lost}")

    @pytest.hookimpl
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object | None:
        """Await the coroutine of a marked test that no other plugin claims."""
        if PLANNED not in pyfuncitem.stash or not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        info = pyfuncitem._fixtureinfo  # noqa: SLF001 - where pytest keeps the names it would pass
        arguments = {name: pyfuncitem.funcargs[name] for name in info.argnames}
        with asyncio.Runner() as runner:
            runner.run(pyfuncitem.obj(**arguments))
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the measured case to its report; below its pass score alone, it did not fail."""
        report = yield
        case = item.stash.get(PLANNED, None)
        if case is None or (report.when == "setup" and report.passed):
            return report
        if report.when == "teardown":
            item.stash[_RUN] = None  # the traces of all cases would make each collection slower
            return report
        run = item.stash.get(_RUN, None) if report.when == "call" else None
        set_ups = run.set_ups if run else self._fixtures.of(item)
        if run is None:
            _fail_skipped(report, first_error(set_ups))
        outcome = _reported_outcome(report, run)
        status = case_status(outcome, case.test.pass_score)
        if status == "missed" and case.test.gated and report.failed:
            report.outcome, report.longrepr, call.excinfo = "passed", None, None
        if status == "error" and run is not None:
            crash = getattr(report.longrepr, "reprcrash", None)
            if crash is not None:  # the short summary would name pytest's exception
                crash.message = printable(outcome.error)
        measured = self._measured(case, outcome, run, set_ups)
        attach(report, status=status, case=measured)
        if run is not None:
            # They replace those of a call before.
            others = [entry for entry in item.user_properties if not entry[0].startswith(PREFIX)]
            mine = case_properties(measured.result, show=options_of(item.config).show)
            item.user_properties[:] = [*others, *mine]
            report.user_properties = list(item.user_properties)
        return report

    def _measured(
        self,
        case: PlannedCase,
        outcome: Outcome,
        run: RecordedCall | None,
        set_ups: Sequence[SetUp],
    ) -> MeasuredCase:
        """Return the report's data of a case; `run` is None where the case was not called."""
        row, calls = case.row, run.calls if run else ()
        before = [(made.for_one, call) for made in set_ups for call in made.trace.calls]
        own = [*(call for for_one, call in before if for_one), *calls]
        result = CaseResult(
            id=case.id,
            row=encodable(row.key),
            outcome=outcome,
            usages=usages_of(calls),
            set_up=usages_of_set_ups(set_ups),
            samples=run.scores if run else (),
            steps=run.steps if run else (),
            group=group_of(case),
            split=row.split,
            digest=row.digest,
            content=row.content,
            cluster=encodable(row.cluster),
            seen=seen_digest(own) if run else "",
            shown=run.shown if run else (),
            shared=run.shared if run else (),
            given_up=run.given_up if run else 0,
            within=paid_within(run.traces) if run else (),
        )
        called = [*(call for _, call in before), *calls]
        modules, demo_rows = self._new_modules(case.study.lock, called)
        return MeasuredCase(case.test, result, *self._studies[case.study], modules, demo_rows)

    def _new_modules(
        self, lock: Path, calls: Iterable[ModuleCall]
    ) -> tuple[tuple[LockedModule, ...], tuple[str, ...]]:
        """Return the modules that no report named before, and the rows of their demos."""
        modules, rows = [], set()
        for call in calls:
            key = (lock, call_key(call))
            if key not in self._sent and not call.own:
                self._sent.add(key)
                modules.append(locked_module(call, {}, lock.parent))
                rows |= {demo.case for demo in committed_prompt(call.signature).demos}
        return tuple(modules), tuple(sorted(rows))


def _has_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Return whether an error is shown with frames; where all are hidden, pytest says so."""
    return getattr(excinfo.value, "pytrace", True)


def _fail_skipped(report: pytest.TestReport, error: str) -> None:
    """Fail a case whose set-up skipped it after an error that it swallowed."""
    if error and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", error


def _reported_outcome(report: pytest.TestReport, run: RecordedCall | None) -> Outcome:
    """Return the outcome that goes with the report: pytest's own verdict beats the recorded one."""
    if run is None:
        if report.skipped:
            return Outcome(None, skipped=skip_reason(report))
        return Outcome(None, error=f"set-up failed: {crash_text(report)}")
    if hasattr(report, "wasxfail"):
        return Outcome(None, skipped=f"xfail: {report.wasxfail}".removesuffix(": "))
    recorded = run.outcome
    if report.failed and recorded.score is not None:
        if run.case.item.get_closest_marker("xfail") and "XPASS(strict)" in str(report.longrepr):
            return Outcome(None, skipped="xfail")
        if run.let_pass:
            return Outcome(None, failure=crash_text(report))  # another plugin failed it
    return recorded
