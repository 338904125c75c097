"""Measuring a program: cases run concurrently in threads, each in its own context."""

from __future__ import annotations

import contextvars
import json
import threading
import time
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.case import Outcome
from pytest_mipro.optimizer.expectations import Expectations
from pytest_mipro.optimizer.pool import DaemonPool
from pytest_mipro.runtime.client import at_hand
from pytest_mipro.runtime.context import CallContext, Trace, use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_mipro.optimizer.budget import LogicalLedger, Reservation
    from pytest_mipro.optimizer.case import Case, Study
    from pytest_mipro.runtime.client import LMClient, Reply, Request
    from pytest_mipro.runtime.context import ModuleCall, Teacher
    from pytest_mipro.runtime.prompt import Prompt


@dataclass(frozen=True)
class CaseRun:
    """One run of a case with one sample index: how it ended and the module calls it made."""

    case: Case
    sample: int
    outcome: Outcome
    calls: tuple[ModuleCall, ...]


@dataclass(frozen=True)
class Evaluation:
    """The runs of one program on some cases, in case order.

    `calls` counts the distinct LM requests that this evaluation added to the run's; `over_budget`
    is set where it needed more than were reserved: then it holds no scores.
    """

    runs: tuple[CaseRun, ...]
    calls: int = 0
    over_budget: str = ""

    @property
    def skipped(self) -> tuple[str, ...]:
        """Ids of the cases that were skipped by their tests."""
        return tuple(dict.fromkeys(run.case.id for run in self.runs if run.outcome.skipped))

    def scores(self, *, samples: int | None = None) -> dict[str, float]:
        """Return each case's mean score over its (first `samples`) runs; a skip counts 0."""
        sums: dict[str, list[float]] = {}
        for run in self.runs:
            values = sums.setdefault(run.case.id, [])
            if samples is None or len(values) < samples:
                values.append(run.outcome.score or 0.0)
        return {case: sum(values) / len(values) for case, values in sums.items()}


class Meter:
    """The requests of one part of the run that are new to it, spent before they are made."""

    def __init__(self, reservation: Reservation, ledger: LogicalLedger) -> None:
        self._reservation = reservation
        self._ledger = ledger
        self._mark = ledger.mark
        self._lock = threading.Lock()
        self._digests: dict[str, None] = {}

    def see(self, digest: str) -> None:
        """Note a request; raises BudgetError when it is beyond the reservation."""
        with self._lock:
            if digest not in self._digests and not self._ledger.known(digest, self._mark):
                self._reservation.spend()
                self._digests[digest] = None

    def note_reply(self, *, live: bool) -> None:
        """Note a reply, for the bill where an endpoint answered it, else for what was reused."""
        self._ledger.note_reply(live=live)

    def settle(self, *, whole: bool = False) -> int:
        """Close the reservation and return the calls charged: requests that are new to the run.

        With `whole`, all that was reserved is charged: which requests came before the limit depends
        on timing, and the budget must not.
        """
        if whole:
            self._reservation.settle(self._reservation.spent)
            return self._reservation.spent
        charged = self._ledger.count_all(self._digests)
        self._reservation.settle(charged)
        return charged


class MeteredClient:
    """A client whose requests are counted by a meter before they are made."""

    def __init__(self, inner: LMClient, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def complete(self, request: Request) -> Reply:
        """Count the request and pass it on."""
        self._count(request)
        reply = await self._inner.complete(request)
        self._meter.note_reply(live=not reply.cached)
        return reply

    def lookup(self, request: Request) -> Reply | None:
        """Count the request, cached or not, and return the reply that the inner client has."""
        self._count(request)
        reply = at_hand(self._inner, request)
        if reply is not None:
            self._meter.note_reply(live=False)
        return reply

    def endpoint(self, model: str) -> str:
        """Return the inner client's endpoint."""
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        """Nothing of its own to release."""

    def _count(self, request: Request) -> None:
        self._meter.see(request.digest(self._inner.endpoint(request.model)))


@dataclass
class PendingEvaluation:
    """An evaluation under way. `result` waits for it; order of completion changes nothing."""

    futures: list[Future[CaseRun]]
    meter: Meter
    expectations: Expectations

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Wait, settle the budget and return the evaluation.

        Raises MeasurementError where a case broke for a reason that is not the candidate's.
        """
        if progress:
            self._watch(progress)
        runs = tuple(future.result() for future in self.futures)
        over = next((run for run in runs if run.outcome.error == _OVER_BUDGET), None)
        calls = self.meter.settle(whole=over is not None)
        if over is not None:
            return Evaluation((), calls, over_budget=f"more than the {calls} calls reserved for it")
        self.expectations.check(runs)
        return Evaluation(runs, calls)

    def _watch(self, progress: Callable[[int], None]) -> None:
        """Tell each number of finished runs once, however many end at the same moment."""
        for number, _ in enumerate(as_completed(self.futures), 1):
            progress(number)


_PATIENCE = 5.0  # seconds for cases under way; a stuck one may take for ever
_OVER_BUDGET = "the reservation of this evaluation is used up"


class Evaluator:
    """Runs cases under prompts on one shared pool; cases of trials asked first go first.

    Half as many cases again as `concurrency` are in work: those between two calls, which parse,
    score and keep replies, leave no room at the endpoint empty. The client bounds its calls.
    """

    def __init__(
        self, study: Study, client: LMClient, ledger: LogicalLedger, *, concurrency: int
    ) -> None:
        self._study = study
        self._client = client
        self._ledger = ledger
        self._pool = DaemonPool(concurrency + concurrency // 2, "mipro-case")
        # One thread for all tests whose cases run one at a time: they may share what is not safe.
        self._lane = DaemonPool(1, "mipro-lane")
        self.max_calls_per_case: int | None = None
        self.expectations = Expectations()

    def start(
        self,
        prompts: Mapping[Path, Prompt],
        cases: Iterable[Case],
        reservation: Reservation,
        *,
        repeats: bool = True,
        first_sample: int = 0,
        teacher: Teacher | None = None,
    ) -> PendingEvaluation:
        """Begin to measure the cases under `prompts` (by prompt path; others stay committed).

        Samples are counted from `first_sample` on; with `repeats=False` each case runs with that
        one alone. A `teacher` answers in place of the modules' models, to gather demos.
        """
        meter = Meter(reservation, self._ledger)
        client = MeteredClient(self._client, meter)
        futures = []
        for case in cases:
            test = self._study.tests[case.test]
            pool = self._pool if test.concurrent else self._lane
            for index in range(test.repeats if repeats else 1):
                sample = first_sample + index
                context = CallContext(client, prompts, row=case.row, sample=sample, teacher=teacher)
                task = contextvars.copy_context()
                futures.append(pool.submit(task.run, self._confirmed, case, context))
        return PendingEvaluation(futures, meter, self.expectations)

    def close(self, *, wait: bool = False) -> None:
        """Drop what has not begun; with `wait`, give the cases under way a few seconds to end."""
        deadline = time.monotonic() + _PATIENCE
        for pool in (self._pool, self._lane):
            pool.shutdown()
        if wait:
            for pool in (self._pool, self._lane):
                pool.join(deadline)

    def _confirmed(self, case: Case, context: CallContext) -> CaseRun:
        """Run the case; an exception that is no assertion is run again on the same replies.

        The same exception again is the candidate's: it scores 0; another end breaks the case.
        """
        first = self._once(case, context)
        if not first.outcome.failure:
            return first
        again = self._once(case, context)
        if again.outcome.error:  # the world broke the second run: that is the cause to tell
            return again
        if again.outcome.failure != first.outcome.failure:
            error = (
                f"raised {first.outcome.failure!r} in one run and not in the next on equal replies"
            )
            return CaseRun(case, context.sample, Outcome(None, error=error), first.calls)
        scored = replace(first.outcome, score=0.0, feedback=first.outcome.failure)
        return replace(first, outcome=scored)

    def _once(self, case: Case, context: CallContext) -> CaseRun:
        trace = Trace(self.max_calls_per_case)
        with use(replace(context, trace=trace)):
            outcome = case.run()
        if isinstance(trace.broken, BudgetError):
            outcome = Outcome(None, error=_OVER_BUDGET)
        elif trace.broken is not None:
            outcome = Outcome(None, error=str(trace.broken))
        return CaseRun(case, context.sample, outcome, canonical(trace.calls))


def canonical(calls: Iterable[ModuleCall]) -> tuple[ModuleCall, ...]:
    """Return the calls in an order of their content alone.

    Concurrent calls of one case begin in the order in which earlier ones end, which differs between
    live and cached replies; what is drawn from a case must not.
    """
    return tuple(sorted(calls, key=_content))


def _content(call: ModuleCall) -> tuple[str, ...]:
    values = (dict(call.inputs), call.model, dict(call.parameters), call.output, call.text)
    texts = (json.dumps(value, sort_keys=True, default=str) for value in values)
    return (call.signature.name, str(call.signature.prompt_path), *texts)


def cases_of(study: Study, rows: Sequence[str]) -> tuple[Case, ...]:
    """Return the study's cases of these rows, in the study's order."""
    wanted = frozenset(rows)
    return tuple(case for case in study.cases if case.row in wanted)
