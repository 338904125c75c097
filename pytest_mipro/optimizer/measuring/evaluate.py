"""Measure a program: its cases run concurrently in threads, each in its own context."""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from pytest_mipro.errors import BudgetError, CaseTimeoutError, LimitReachedError, UnboundedCallError
from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.budget.limits import Deadline
from pytest_mipro.optimizer.budget.meter import Accounting, Meter
from pytest_mipro.optimizer.measuring.case_threads import DaemonPool, run_within
from pytest_mipro.optimizer.measuring.expectations import Expectations
from pytest_mipro.optimizer.study.case import Case, CaseRun, Evaluation, Outcome, Study, TestSpec
from pytest_mipro.runtime.calls.context import CallContext, Teacher, use
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import ModuleCall, Trace
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.prompts.prompt import Prompt


class Pending(Protocol):
    """An evaluation under way, of `size` case runs."""

    @property
    def size(self) -> int:
        """How many case runs there are."""
        ...

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Wait for the evaluation and return it; `progress` gets each number of finished runs.

        Raises MeasurementError where a case broke for a reason that is not the candidate's, and
        LimitReachedError where the bill or the time of the run ends it.
        """

    def abandon(self) -> None:
        """Wait no longer; see `PendingEvaluation.abandon`."""


@dataclass(frozen=True)
class Ended:
    """An evaluation that has ended."""

    evaluation: Evaluation

    @property
    def size(self) -> int:
        """How many case runs there were."""
        return len(self.evaluation.runs)

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:  # noqa: ARG002
        """Return the evaluation."""
        return self.evaluation

    def abandon(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class MeasuringRules:
    """How cases are measured, and what their runs have to show.

    `max_calls_per_case` bounds the LM calls of a run (None: no limit). Samples are counted from
    `first_sample` on; with `repeats=False` each case runs with that one alone. A `teacher` answers
    in place of the modules' models, to gather demos. `one_at_a_time`: no case runs beside another.
    """

    max_calls_per_case: int | None = None
    expectations: Expectations = field(default_factory=Expectations)
    repeats: bool = True
    first_sample: int = 0
    teacher: Teacher | None = None
    one_at_a_time: bool = False

    def samples(self, test: TestSpec) -> range:
        """Return the sample indices that a case of the test runs with."""
        return range(self.first_sample, self.first_sample + (test.repeats if self.repeats else 1))


_NO_RULES = MeasuringRules()


class Evaluating(Protocol):
    """Measures programs: `Evaluator` in this process, or several processes together."""

    def start(
        self,
        prompts: Mapping[Path, Prompt],
        cases: Iterable[Case],
        part: Part,
        rules: MeasuringRules,
    ) -> Pending:
        """Begin to measure the cases under `prompts`; see `Evaluator.start`."""

    def start_afresh(self) -> None:
        """Abandon all that is under way, so that it does not hold up the cases to come."""

    def close(self, *, wait: bool = False) -> None:
        """Drop what has not begun; with `wait`, give the cases under way a few seconds to end."""


@dataclass(frozen=True)
class PendingEvaluation:
    """An evaluation under way. `result` waits for it; order of completion changes nothing."""

    futures: list[Future[CaseRun]]
    meter: Meter
    deadline: Deadline
    prompts: Mapping[Path, Prompt]
    rules: MeasuringRules

    @property
    def size(self) -> int:
        """How many case runs there are."""
        return len(self.futures)

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Wait, settle the budget and return the evaluation; see `Pending.result`."""
        self._wait(progress)
        runs = tuple(future.result() for future in self.futures)
        ended = next((run.ended for run in runs if run.ended is not None), None)
        if ended is not None:
            self.abandon()
            raise ended
        over = self.meter.over or any(run.outcome.error == _OVER_BUDGET for run in runs)
        calls = self.meter.settle(whole=over)
        if over:
            return Evaluation((), calls, over_budget=self.meter.exceeded)
        self.rules.expectations.check(runs, self.prompts, self.rules.teacher)
        return Evaluation(runs, calls)

    def abandon(self) -> None:
        """Wait no longer: what was begun counts as spent. Does nothing after `result`."""
        for future in self.futures:
            future.cancel()
        self.meter.abandon()

    def _wait(self, progress: Callable[[int], None] | None) -> None:
        """Wait for all runs until the deadline; report each number of finished ones once."""
        left = self.deadline.left()
        if progress is None and left is None:
            return  # the futures themselves are waited for
        timeout = None if left is None else max(0.0, left)
        try:
            for number, _ in enumerate(as_completed(self.futures, timeout), 1):
                if progress:
                    progress(number)
        except TimeoutError:
            self.abandon()
            raise self.deadline.error() from None


_PATIENCE = 5.0  # seconds for cases under way; a stuck one may take for ever
_OVER_BUDGET = "the reservation of this evaluation is used up"


class Evaluator:
    """Runs cases under prompts on one pool of threads, in the order in which they were started.

    It runs half as many cases again as `concurrency` (which the client bounds): some are between
    two calls, and the endpoint must stay busy. `case_timeout` bounds the seconds of a case.
    """

    def __init__(
        self,
        study: Study,
        client: LMClient,
        accounting: Accounting,
        *,
        concurrency: int,
        case_timeout: float | None = None,
    ) -> None:
        self._study = study
        self._client = client
        self._accounting = accounting
        self._concurrency = concurrency
        self._case_timeout = case_timeout
        self._open_pools()
        self._pending: list[PendingEvaluation] = []

    def _open_pools(self) -> None:
        self._pool = DaemonPool(self._concurrency + self._concurrency // 2, "mipro-case")
        # One thread for all tests whose cases run one at a time: they may share unsafe state.
        self._lane = DaemonPool(1, "mipro-lane")

    def start(
        self,
        prompts: Mapping[Path, Prompt],
        cases: Iterable[Case],
        part: Part,
        rules: MeasuringRules = _NO_RULES,
    ) -> PendingEvaluation:
        """Begin to measure the cases under `prompts` (by prompt path; others stay committed)."""
        meter, client = self._accounting.opened(self._client, part)
        futures = []
        for case in cases:
            test = self._study.tests[case.test]
            beside = test.concurrent and not rules.one_at_a_time
            pool = self._pool if beside else self._lane
            for sample in rules.samples(test):
                context = CallContext(
                    client,
                    prompts,
                    row=case.row,
                    sample=sample,
                    teacher=rules.teacher,
                    case=case.id,
                    model=case.model,
                )
                run = partial(self._confirmed, case, context, rules.max_calls_per_case)
                futures.append(pool.submit(contextvars.copy_context().run, run))
        pending = PendingEvaluation(futures, meter, self._accounting.deadline, prompts, rules)
        self._pending = [item for item in self._pending if not item.meter.closed] + [pending]
        return pending

    def start_afresh(self) -> None:
        """Abandon all that is under way, so that it does not hold up the cases to come."""
        for pending in self._pending:
            pending.abandon()
        self.close()
        self._open_pools()

    def close(self, *, wait: bool = False) -> None:
        """Drop what has not begun; see `Evaluating.close`."""
        deadline = time.monotonic() + _PATIENCE
        for pool in (self._pool, self._lane):
            pool.shutdown()
        if wait:
            for pool in (self._pool, self._lane):
                pool.join(deadline)

    def _confirmed(self, case: Case, context: CallContext, max_calls: int | None) -> CaseRun:
        """Run the case; where it raised an exception, run it again on the same replies.

        The same exception again is the candidate's: it scores 0. Any other end breaks the case.
        """
        first = self._once(case, context, max_calls)
        if not first.outcome.failure:
            return first
        again = self._once(case, context, max_calls)
        if again.outcome.error:  # the infrastructure broke the second run: report that
            return again
        if again.outcome.failure != first.outcome.failure:
            error = (
                f"raised {first.outcome.failure!r} in one run and not in the next on equal "
                "replies; a test that changes what cases share, as os.environ, needs "
                "concurrent=False"
            )
            return CaseRun(case, context.sample, Outcome(None, error=error), first.calls)
        scored = replace(first.outcome, score=0.0, feedback=first.outcome.failure)
        return replace(first, outcome=scored)

    def _once(self, case: Case, context: CallContext, max_calls: int | None) -> CaseRun:
        trace, ended = Trace(max_calls), None
        with use(replace(context, trace=trace)):
            try:
                outcome = run_within(self._case_timeout, case.run)
            except CaseTimeoutError as error:
                trace.end(error)
                outcome = Outcome(0.0, feedback=str(error))
        if isinstance(trace.broken, (LimitReachedError, UnboundedCallError)):
            ended = trace.broken
        if isinstance(trace.broken, BudgetError):
            outcome = Outcome(None, error=_OVER_BUDGET)
        elif trace.broken is not None:
            outcome = Outcome(None, error=str(trace.broken))
        calls, steps = sorted_by_content(trace.calls), _in_order_of_source(trace.steps)
        return CaseRun(case, context.sample, outcome, calls, ended, steps)


def _in_order_of_source(steps: Iterable[StepCall]) -> tuple[StepCall, ...]:
    """Return the calls in the order of their functions' source, then of their content."""

    def key(step: StepCall) -> tuple[str, int, str]:
        values = json.dumps([dict(step.inputs), step.output], sort_keys=True, default=str)
        return step.code.co_filename, step.code.co_firstlineno, values

    return tuple(sorted(steps, key=key))


def sorted_by_content(calls: Iterable[ModuleCall]) -> tuple[ModuleCall, ...]:
    """Return the calls in an order of their content alone.

    The order of a case's concurrent calls differs between live and cached replies; draws must not.
    """
    return tuple(sorted(calls, key=_content))


def _content(call: ModuleCall) -> tuple[str, ...]:
    values = (dict(call.inputs), call.model, dict(call.parameters), call.output, call.text)
    texts = (json.dumps(value, sort_keys=True, default=str) for value in values)
    return (call.signature.name, str(call.signature.prompt_path), *texts)
