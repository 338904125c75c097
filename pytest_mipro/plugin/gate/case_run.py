"""One call of a case: record its samples, decide how pytest sees them, and check a recording."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from typing import Any, cast

import pytest

from pytest_mipro.errors import DetachedCallError, RepliesFileError
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.collecting.plan import PlannedCase
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.config.redaction import redaction
from pytest_mipro.plugin.measuring.feedback import shortened
from pytest_mipro.plugin.measuring.fixtures import is_constant, shared_by_samples
from pytest_mipro.plugin.measuring.measure import (
    Observation,
    case_status,
    mean_outcome,
    observed,
)
from pytest_mipro.plugin.measuring.repeated import RepeatedTest
from pytest_mipro.plugin.measuring.report_data import Step
from pytest_mipro.plugin.measuring.shown_calls import ShownCall, shown_call, shown_step
from pytest_mipro.plugin.replies.case_replies import CaseReplies
from pytest_mipro.plugin.replies.client_stack import recorded_replies
from pytest_mipro.plugin.replies.fixture_calls import SetUp, first_error
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.strays import Strays
from pytest_mipro.runtime.calls.trace import ModuleCall, Trace
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.replies.recorded import RecordedReplies
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.text.number_words import apart

_GROUP_CHARS = 60

# Reports carry a bounded amount: 2,000 cases must not weigh.
_STEPS, _STEP_CHARS = 8, 300


class RecordedCall:
    """One call of an item: its samples, and the result that pytest gets.

    `strays` keeps what left the test's context while it runs; `lost` is the first module call of
    it. `let_pass`: pytest was told of no failure, so that what fails the case is another plugin.
    `set_ups` are those that the case uses. After an error of one of them, or with one in
    `refused`, nothing is called.
    """

    def __init__(
        self, case: PlannedCase, strays: Strays, set_ups: Sequence[SetUp] = (), refused: str = ""
    ) -> None:
        self.case = case
        self.lost = ""
        self.let_pass = False
        self.set_ups = set_ups
        self._refused = first_error(set_ups) or refused
        self.outcome = Outcome(None, failure="the test did not come to its end")
        self._strays = strays
        self._samples: list[Observation] = []
        self._traces: list[Trace] = []
        self._replies = CaseReplies(case)
        self._options = options_of(case.item.config)
        self._shows = self._options.show or self._options.report

    def calls_to_make(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[tuple[AbstractContextManager[Observation], Callable[[], Any]]]:
        """Yield each call of the test with the block to make it in: the samples, then the reruns.

        The first call gets the arguments themselves. Reruns measure nothing: they find what a
        replay would not ask again, in a recording alone.
        """
        if self._refused:
            return
        test, item = self.case.test, cast("pytest.Function", self.case.item)
        kept = test.repeats > 1 or self._replies.recording
        again = RepeatedTest(item, function, kwargs, kept=kept)
        for index in range(test.repeats):
            yield self._sample(index), again if index else partial(function, *args, **kwargs)
        scored = [sample.outcome.score is not None for sample in self._samples]
        for index in self._replies.reruns(range(len(scored)), scored):
            yield self._rerun(index), again

    @contextmanager
    def _sample(self, index: int) -> Iterator[Observation]:
        __tracebackhide__ = True
        trace = Trace(self._options.max_calls_per_case, keeps=self._shows)
        self._traces.append(trace)
        given = tuple(self.case.row.facts.values())
        with self._use(self._replies.client, index, trace), observed(trace, given) as seen:
            self._samples.append(seen)
            try:
                yield seen
            finally:
                for error in self._strays.taken():
                    trace.remember(error)
                    if isinstance(error, DetachedCallError):
                        self.lost = self.lost or str(error)

    @contextmanager
    def _rerun(self, index: int) -> Iterator[Observation]:
        client = self._replies.rerun_client(index)
        trace = Trace(self._options.max_calls_per_case)
        with self._use(client, index, trace), observed(None) as seen:
            yield seen
        self._replies.learn(client)

    def _use(self, client: LMClient, sample: int, trace: Trace) -> AbstractContextManager[object]:
        case = self.case
        return use(
            CallContext(
                client,
                row=case.row.key,
                sample=sample,
                trace=trace,
                case=case.id,
                model=case.test.model,
            )
        )

    def finish(self) -> None:
        """Give pytest the result: raise where the case by itself is an ordinary failure."""
        __tracebackhide__ = True
        outcome = self.outcome = self._outcome()
        test = self.case.test
        status = case_status(outcome, test.pass_score)
        marked_xfail = self.case.item.get_closest_marker("xfail") is not None
        self.let_pass = status == "passed" or (
            status == "missed" and test.gated and not marked_xfail
        )
        if self.let_pass:
            return
        if status == "error":
            pytest.fail(printable(outcome.error), pytrace=False)
        if outcome.failure or outcome.skipped:
            deciding = [s for s in self._samples if s.outcome.failure or s.outcome.skipped]
        else:
            deciding = sorted(self._samples, key=lambda sample: sample.outcome.score or 0.0)
        if deciding and deciding[0].error is not None:
            raise deciding[0].error
        feedback = f": {outcome.feedback}" if outcome.feedback else ""
        score, needed, _ = apart(outcome.score or 0.0, test.pass_score)
        text = f"score {score} is below the pass score {needed}{feedback}"
        pytest.fail(printable(text), pytrace=False)

    def _outcome(self) -> Outcome:
        if self._refused:
            return Outcome(None, error=self._refused)
        return mean_outcome([sample.outcome for sample in self._samples])

    @property
    def calls(self) -> tuple[ModuleCall, ...]:
        """The module calls of all samples, in order."""
        return tuple(call for trace in self._traces for call in trace.calls)

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The trace of each sample."""
        return tuple(self._traces)

    @property
    def scores(self) -> tuple[float, ...]:
        """The score of each sample; none where one has no score."""
        scores = [sample.outcome.score for sample in self._samples]
        return () if None in scores else tuple(score for score in scores if score is not None)

    @property
    def given_up(self) -> int:
        """How many LM calls of its samples came to no end."""
        return sum(trace.given_up for trace in self._traces)

    @property
    def shared(self) -> tuple[str, ...]:
        """The fixtures whose value all samples got, and may change; none where there is one sample.

        What one sample leaves in them the next one finds.
        """
        item, safe = self.case.item, {*self.case.rerun_safe, *self._options.rerun_safe}
        if self.case.test.repeats == 1 or not isinstance(item, pytest.Function):
            return ()
        values = item.funcargs
        return tuple(
            name for name in shared_by_samples(item, safe) if not is_constant(values.get(name))
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """The calls of the set-ups and of the worst sample, each output shortened."""
        scores = [sample.outcome.score for sample in self._samples]
        lowest = [-1.0 if score is None else score for score in scores]
        before = [call for made in self.set_ups for _, call in made.entries]
        worst = self._traces[lowest.index(min(lowest))].entries if lowest else ()
        return tuple(
            Step(
                call.name if isinstance(call, StepCall) else call.signature.label,
                encodable(call.error or to_text(call.output), _STEP_CHARS),
                bool(call.error),
            )
            for call in [*before, *worst][-_STEPS:]
        )

    @property
    def shown(self) -> tuple[ShownCall, ...]:
        """The calls of set-ups and samples in full; none where no option asks for them."""
        if not self._shows:
            return ()
        config = self.case.item.config
        try:
            replies = recorded_replies(config, self.case.study.lock)
        except RepliesFileError:  # of use to nothing else in a fresh run
            replies = RecordedReplies("")
        redact = redaction(config)
        found = []
        for caller, sample, call in self._callers:
            if isinstance(call, StepCall):
                found.append(shown_step(call, sample, redact))
                continue
            module, sent = call.signature.label, call.sent
            before = replies.said_before(caller, module, sent) if sent else None
            found.append(shown_call(call, sample, before, redact))
        return tuple(found)

    @property
    def _callers(self) -> Iterator[tuple[str, int, ModuleCall | StepCall]]:
        """All calls in their order, each with its caller's name in recordings and its sample."""
        for made in self.set_ups:
            yield from ((name, 0, call) for name, call in made.entries)
        for sample, trace in enumerate(self._traces):
            yield from ((self.case.id, sample, call) for call in trace.entries)


def recording(function: Callable[..., Any], run: RecordedCall) -> Callable[..., Any]:
    """Return the function that pytest calls instead: sync or async as the original."""
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def recorded_async(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            for block, call in run.calls_to_make(function, args, kwargs):
                with block as seen:
                    seen.value = await call()
            run.finish()

        return recorded_async

    @wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        for block, call in run.calls_to_make(function, args, kwargs):
            with block as seen:
                seen.value = call()
        run.finish()

    return recorded


def group_of(case: PlannedCase) -> str | None:
    """Return the text of the column that the mark names as `group`, None where there is none.

    A long one is cut in the middle, and told from others by its digest.
    """
    value = case.row.columns.get(case.test.group) if case.test.group is not None else None
    if value is None:
        return None
    text = encodable(to_text(value))
    if len(text) <= _GROUP_CHARS:
        return text
    return f"{text[:12]}…{text[-9:]} #{content_digest(text)[:8]}"


def encodable(text: str, limit: int | None = None) -> str:
    """Return the text, shortened to the limit, with lone surrogates written as escapes."""
    text = text if limit is None else shortened(text, limit)
    return text.encode("utf-8", "backslashreplace").decode()
