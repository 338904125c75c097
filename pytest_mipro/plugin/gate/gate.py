"""The plain run: each case of a marked test runs as the ordinary test it is, and is recorded."""

from __future__ import annotations

import asyncio
import functools
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.plan import PLANNED, PlannedCase
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.gate.verdict import CaseResult, CaseUsage, Step, case_data
from pytest_mipro.plugin.lock.lock_builder import columns_digest
from pytest_mipro.plugin.measuring.feedback import note_comparison, shortened
from pytest_mipro.plugin.measuring.measure import Observation, case_status, mean_outcome
from pytest_mipro.plugin.measuring.pytest_texts import crash_text, skip_reason
from pytest_mipro.plugin.measuring.repeated import RepeatedTest
from pytest_mipro.plugin.replies.case_replies import CaseReplies
from pytest_mipro.runtime.calls.context import CallContext, Trace, refuse_detached, use
from pytest_mipro.runtime.signature.values import to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from pytest_mipro.errors import DetachedCallError
    from pytest_mipro.runtime.calls.context import ModuleCall
    from pytest_mipro.runtime.client.contract import LMClient

_RUN = pytest.StashKey["CaseRun"]()
# What travels on reports is bounded: 2,000 cases must not weigh.
_STEPS, _STEP_CHARS, _GROUP_CHARS = 8, 300, 60


class Gate:
    """The hooks of a plain run with marked tests."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Put a recording wrapper in the place of the test function while it is called."""
        case = item.stash.get(PLANNED, None)
        if case is None or not isinstance(item, pytest.Function):
            return (yield)
        run = item.stash[_RUN] = CaseRun(case)
        function = item.obj
        item.obj = recording(function, run)
        try:
            with refuse_detached() as detached:
                run.detached = detached
                return (yield)
        finally:
            item.obj = function

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
        """Attach to the report how the case ended; below its pass score alone, it did not fail."""
        report = yield
        case = item.stash.get(PLANNED, None)
        if case is None or (report.when == "setup" and report.passed):
            return report
        if report.when == "teardown":
            if _RUN in item.stash:  # the traces of all cases would make each collection slower
                del item.stash[_RUN]
            return report
        outcome = _reported(report, item.stash.get(_RUN, None))
        status = case_status(outcome, case.test.pass_score)
        if status == "missed" and case.test.gated and report.failed:
            report.outcome, report.longrepr, call.excinfo = "passed", None, None
        if status == "error" and report.when == "call":
            _say(report, outcome.error)
        run = item.stash[_RUN] if report.when == "call" else None
        report.mipro = {  # type: ignore[attr-defined] # pytest carries it to the controller
            "status": status,
            "plan": dict(vars(case.test)),  # flat data: `asdict` copies each value, at every case
            "case": case_data(_result(case, outcome, run)),
        }
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Note what was compared, for feedback that no option changes; pytest's text stays."""
        note_comparison(op, left, right)


class CaseRun:
    """One call of an item: its samples, and what becomes of them."""

    def __init__(self, case: PlannedCase) -> None:
        self.case = case
        self.detached: list[DetachedCallError] = []
        self.outcome = Outcome(None, failure="the test did not come to its end")
        self._samples: list[Observation] = []
        self._traces: list[Trace] = []
        self._replies = CaseReplies(case)
        self._max_calls = options_of(case.item.config).max_calls_per_case

    @contextmanager
    def sample(self, index: int) -> Iterator[Observation]:
        """Run module calls of the block as this case's and this sample's."""
        __tracebackhide__ = True
        trace = Trace(self._max_calls)
        self._traces.append(trace)
        context = self._context(self._replies.client, index, trace)
        before = len(self.detached)
        with use(context), Observation(trace) as seen:
            self._samples.append(seen)
            try:
                yield seen
            finally:
                for error in self.detached[before:]:
                    trace.remember(error)

    def repeated(self, function: Callable[..., Any], arguments: dict[str, Any]) -> RepeatedTest:
        """Return what to call after the first call, which gets `arguments` themselves."""
        kept = self.case.test.repeats > 1 or self._replies.recording
        return RepeatedTest(cast("pytest.Function", self.case.item), function, arguments, kept=kept)

    def probes(self) -> Iterator[AbstractContextManager[object]]:
        """Yield blocks for second calls, which measure nothing; none but in a recording."""
        scored = [sample.outcome.score is not None for sample in self._samples]
        for index in self._replies.reruns(range(len(scored)), scored):
            yield self._probe(index)

    @contextmanager
    def _probe(self, index: int) -> Iterator[None]:
        client = self._replies.rerun_client(index)
        with use(self._context(client, index, Trace(self._max_calls))), Observation(None):
            yield
        self._replies.learn(client)

    def _context(self, client: LMClient, sample: int, trace: Trace) -> CallContext:
        return CallContext(client, row=self.case.row.key, sample=sample, trace=trace)

    def finish(self) -> None:
        """Give pytest the result: raise where the case by itself is an ordinary failure."""
        __tracebackhide__ = True
        outcome = self.outcome = mean_outcome([sample.outcome for sample in self._samples])
        test = self.case.test
        status = case_status(outcome, test.pass_score)
        marked_xfail = self.case.item.get_closest_marker("xfail") is not None
        if status == "passed" or (status == "missed" and test.gated and not marked_xfail):
            return
        if status == "error":
            pytest.fail(outcome.error, pytrace=False)
        error = self._error(outcome)
        if error is not None:
            raise error
        said = f": {outcome.feedback}" if outcome.feedback else ""
        pytest.fail(
            f"score {outcome.score:.4g} is below the pass score {test.pass_score:.4g}{said}",
            pytrace=False,
        )

    @property
    def calls(self) -> tuple[ModuleCall, ...]:
        """The module calls of all samples, in order."""
        return tuple(call for trace in self._traces for call in trace.calls)

    @property
    def usage(self) -> CaseUsage:
        """What the module calls of all samples took."""
        total = CaseUsage()
        for call in self.calls:
            tokens = call.usage.prompt_tokens + call.usage.completion_tokens
            cached = call.requests if call.cached else 0
            total += CaseUsage(call.requests, cached, tokens, call.cost)
        return total

    @property
    def samples(self) -> tuple[float, ...]:
        """The score of each sample; none where one has no score."""
        scores = [sample.outcome.score for sample in self._samples]
        known = tuple(score for score in scores if score is not None)
        return known if len(known) == len(scores) else ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The module calls of the worst sample, each output shortened."""
        if not self._traces:
            return ()
        scores = [sample.outcome.score for sample in self._samples]
        lowest = [-1.0 if score is None else score for score in scores]
        worst = lowest.index(min(lowest))
        return tuple(
            Step(call.signature.name, _sendable(call.error or to_text(call.output), _STEP_CHARS))
            for call in self._traces[worst].calls[-_STEPS:]
        )

    def _error(self, outcome: Outcome) -> BaseException | None:
        """Return the exception of the sample that decided."""
        if outcome.failure or outcome.skipped:
            deciding = [s for s in self._samples if s.outcome.failure or s.outcome.skipped]
        else:
            lowest = min(s.outcome.score or 0.0 for s in self._samples)
            deciding = [s for s in self._samples if (s.outcome.score or 0.0) == lowest]
        return deciding[0].error if deciding else None


def calls_of(item: pytest.Item) -> tuple[ModuleCall, ...]:
    """Return the module calls of an item's last run, none before it was called."""
    run = item.stash.get(_RUN, None)
    return run.calls if run is not None else ()


def recording(function: Callable[..., Any], run: CaseRun) -> Callable[..., Any]:
    """Return the function as pytest may call it in its place: sync or async as the original."""
    samples = range(run.case.test.repeats)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def recorded_async(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            again = run.repeated(function, kwargs)
            for index in samples:
                with run.sample(index) as seen:
                    seen.value = await (again() if index else function(*args, **kwargs))
            for probe in run.probes():
                with probe:
                    await again()
            run.finish()

        return recorded_async

    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        again = run.repeated(function, kwargs)
        for index in samples:
            with run.sample(index) as seen:
                seen.value = again() if index else function(*args, **kwargs)
        for probe in run.probes():
            with probe:
                again()
        run.finish()

    return recorded


def _result(case: PlannedCase, outcome: Outcome, run: CaseRun | None) -> CaseResult:
    """Return what is told of a case; `run` is None where it was not called."""
    row, group = case.row, case.test.group
    given = row.columns.get(group) if group is not None else None
    return CaseResult(
        id=case.id,
        row=_sendable(row.key),
        outcome=outcome,
        usage=run.usage if run else CaseUsage(),
        samples=run.samples if run else (),
        steps=run.steps if run else (),
        group=None if given is None else _sendable(to_text(given), _GROUP_CHARS),
        split=row.split,
        digest=columns_digest(row.columns),
    )


def _sendable(text: str, limit: int | None = None) -> str:
    """Return the text as it can be encoded, also where it holds half a character; shortened."""
    text = text if limit is None else shortened(text, limit)
    return text.encode("utf-8", "backslashreplace").decode()


def _reported(report: pytest.TestReport, run: CaseRun | None) -> Outcome:
    """Return the outcome that goes with the report: pytest's own verdicts beat the recorded one."""
    if report.when == "setup" or run is None:
        if report.skipped:
            return Outcome(None, skipped=skip_reason(report))
        return Outcome(None, error=f"set-up failed: {crash_text(report)}")
    if hasattr(report, "wasxfail"):
        return Outcome(None, skipped=f"xfail: {report.wasxfail}".removesuffix(": "))
    recorded = run.outcome
    if report.failed and recorded.score is not None:
        if run.case.item.get_closest_marker("xfail") and "XPASS(strict)" in str(report.longrepr):
            return Outcome(None, skipped="xfail")
        if case_status(recorded, run.case.test.pass_score) == "passed":
            return Outcome(None, failure=crash_text(report))  # another plugin failed it
    return recorded


def _say(report: pytest.TestReport, text: str) -> None:
    """Give the error's own text to the short summary, which would name pytest's exception."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = text
