"""`SharedEvaluator`: the leader's evaluations, run as jobs by all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_mipro.errors import BudgetError, LimitReachedError
from pytest_mipro.optimizer.budget.budget import LogicalLedger, Reservation
from pytest_mipro.optimizer.budget.meter import Accounting, Meter, MeteredRequest
from pytest_mipro.optimizer.budget.spending import Spending
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.run.events import Emit, ProcessLost
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore
from pytest_mipro.optimizer.shared.jobs import Job, chunks, row_place, split_calls
from pytest_mipro.optimizer.shared.worker import Worker
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import Case, Study
from pytest_mipro.optimizer.study.runs import CaseRun, Evaluation
from pytest_mipro.runtime.prompts.prompt import Prompt


@dataclass
class _Posted:
    """A job in the store, its result once that is there, and the live calls of earlier runs."""

    job: Job
    runs: int
    id: int
    result: Mapping[str, Any] | None = None
    live_before: frozenset[str] = frozenset()

    @property
    def spent(self) -> list[MeteredRequest]:
        """What the job took; a reply that was live in an earlier run of it counts as live."""
        return [
            MeteredRequest(digest, tuple(user), Amount(*amount), live or digest in self.live_before)
            for digest, user, amount, live in (self.result["requests"] if self.result else ())
        ]

    @property
    def is_over(self) -> bool:
        """Whether the job needs more calls than its limit."""
        return bool(self.result and self.result["over"])


class SharedEvaluator:
    """Posts evaluations as jobs and gathers their results.

    A job that an earlier leader posted is not run again: to take the lead is to walk the same path
    once more, at no cost.
    """

    def __init__(
        self,
        study: Study,
        store: CoordinationStore,
        worker: Worker,
        accounting: Accounting,
        emit: Emit,
    ) -> None:
        self._study = study
        self._store = store
        self._worker = worker
        self._accounting = accounting
        self._emit = emit
        entries = (*store.done(), *store.open_entries())
        self._known = {entry.key: entry.id for entry in entries if entry.kind == "job"}
        self._open: list[_Posted] = []
        self._pending: list[SharedEvaluation] = []

    def start(
        self,
        prompts: Mapping[Path, Prompt],
        cases: Iterable[Case],
        reservation: Reservation,
        rules: MeasuringRules,
    ) -> SharedEvaluation:
        """Post the evaluation; each job may use its share of the reservation."""
        order = tuple(cases)
        parts = chunks(order, self._study.tests, repeats=rules.repeats)
        limits = split_calls(reservation.amount.calls, [runs for _, runs in parts])
        whole = Job(
            cases=(),
            prompts=self._worker.serialiser.dump_prompts(prompts),
            limit=0,
            repeats=rules.repeats,
            first_sample=rules.first_sample,
            teacher=asdict(rules.teacher) if rules.teacher else None,
            max_calls_per_case=rules.max_calls_per_case,
        )
        posted = []
        for (mine, runs), limit in zip(parts, limits, strict=True):
            job = replace(whole, cases=tuple(case.id for case in mine), limit=limit)
            posted.append(_Posted(job, runs, self._post(job)))
        self._open += posted
        self._worker.wake()
        check = partial(rules.expectations.check, prompts=prompts, teacher=rules.teacher)
        meter = _JobMeter(reservation, self._accounting.ledger, self._accounting.spending)
        pending = SharedEvaluation(self, posted, order, meter, check)
        self._pending = [item for item in self._pending if not item.closed] + [pending]
        return pending

    def start_afresh(self) -> None:
        """Withdraw all open jobs: their results are not waited for any more."""
        for pending in self._pending:
            pending.abandon()

    def withdraw(self, posted: Iterable[_Posted]) -> None:
        """Close jobs that are still open."""
        for item in posted:
            if item in self._open:
                self._open.remove(item)
                self._store.fail(item.id)

    def close(self, *, wait: bool = False) -> None:
        """Nothing of its own to end: the worker runs the cases."""

    def post_again(self, posted: _Posted, limit: int) -> None:
        """Post a job once more, with a higher limit."""
        posted.live_before |= {item.digest for item in posted.spent if item.live}
        posted.job = replace(posted.job, limit=limit)
        posted.id, posted.result = self._post(posted.job), None
        self._open.append(posted)

    def gather(self, wanted: Sequence[_Posted], progress: Callable[[int], None]) -> None:
        """Wait for the results of these jobs; `progress` takes the number of their finished runs.

        Open jobs of other evaluations are posted anew, too, where their process died.
        """
        snapshot = self._worker.wait(-1)
        reported = 0
        while True:
            waiting = {entry.id for entry in snapshot.entries}
            for posted in [item for item in self._open if item.id not in waiting]:
                self._fetch(posted)
            done = sum(posted.runs for posted in wanted if posted.result is not None)
            if done > reported:
                reported = done
                progress(done)
            if all(posted.result is not None for posted in wanted):
                return
            self._accounting.deadline.check()
            snapshot = self._worker.wait(snapshot.serial)
            for name in self._worker.take_lost():
                self._emit(ProcessLost(self._study.name, name))

    def load_run(self, data: Mapping[str, Any]) -> CaseRun:
        """Return a run of a job's result."""
        return self._worker.serialiser.load_run(data)

    def _post(self, job: Job) -> int:
        """Return the id of the job's entry, which an earlier leader may have added."""
        if job.key not in self._known:
            self._known[job.key] = self._put(job)
        return self._known[job.key]

    def _put(self, job: Job) -> int:
        middle = self._worker.serialiser.cases[job.cases[len(job.cases) // 2]]
        return self._store.put("job", job.key, place=row_place(middle.row), job=asdict(job))

    def _fetch(self, posted: _Posted) -> None:
        entry = self._store.entry(posted.id)
        if entry.state == "done":
            posted.result = entry.fact("result")
            self._open.remove(posted)
        elif entry.state == "failed":
            posted.id = self._known[posted.job.key] = self._put(posted.job)


class _JobMeter(Meter):
    """Counts what an evaluation's jobs used of its reservation, as one process would count it."""

    def __init__(self, reservation: Reservation, ledger: LogicalLedger, spending: Spending) -> None:
        super().__init__(reservation, ledger, spending, by_usage=True)

    def calls_left(self, spent: Iterable[MeteredRequest]) -> int:
        """Return how many calls of the reservation are left."""
        digests = {item.digest for item in spent}
        new = sum(not self._ledger.known(digest, self._mark) for digest in digests)
        return self._reservation.amount.calls - new

    def charge(self, spent: Iterable[MeteredRequest], *, over: bool) -> tuple[int, bool]:
        """Charge the requests; return the calls, and whether they were more than reserved."""
        try:
            for item in spent:
                self.see(item.digest, user=item.user)
                self.answered(item.digest, item.amount, live=item.live)
        except BudgetError:
            over = True
        return self.settle(whole=over), over

    def drop(self, spent: Iterable[MeteredRequest]) -> None:
        """Charge what is known to be spent, and count no more."""
        with suppress(BudgetError):
            for item in spent:
                self.see(item.digest, user=item.user)
        self.abandon()


class SharedEvaluation:
    """An evaluation under way, in jobs that all processes run; see `Pending`."""

    def __init__(
        self,
        evaluator: SharedEvaluator,
        posted: list[_Posted],
        order: Sequence[Case],
        meter: _JobMeter,
        check: Callable[[Sequence[CaseRun]], None],
    ) -> None:
        self._evaluator = evaluator
        self._posted = posted
        self._order = order
        self._meter = meter
        self._check = check

    @property
    def closed(self) -> bool:
        """Whether the evaluation has ended."""
        return self._meter.closed

    def abandon(self) -> None:
        """Withdraw the jobs and wait no longer. Does nothing once `result` has returned."""
        if not self.closed:
            self._evaluator.withdraw(self._posted)
            self._meter.drop(self._spent)

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Wait for all jobs, settle the budget and return the evaluation; see `Pending.result`."""
        progress = progress or (lambda _: None)
        try:
            self._evaluator.gather(self._posted, progress)
            while (left := self._meter.calls_left(self._spent)) > 0 and self._extend(left):
                self._evaluator.gather(self._posted, progress)
        except LimitReachedError:
            self.abandon()
            raise
        over = any(posted.is_over for posted in self._posted)
        calls, over = self._meter.charge(self._spent, over=over)
        if over:
            return Evaluation((), calls, over_budget=self._meter.exceeded)
        runs = self._runs()
        self._check(runs)
        return Evaluation(runs, calls)

    @property
    def _spent(self) -> list[MeteredRequest]:
        return [item for posted in self._posted for item in posted.spent]

    def _extend(self, left: int) -> bool:
        """Split what is left of the reservation among jobs that need more than their shares."""
        over = [posted for posted in self._posted if posted.is_over]
        for posted, more in zip(over, split_calls(left, [it.runs for it in over]), strict=True):
            if posted.result is not None:
                self._evaluator.post_again(posted, len(posted.result["requests"]) + max(1, more))
        return bool(over)

    def _runs(self) -> tuple[CaseRun, ...]:
        """Return the runs in the order in which one process would have them."""
        places = {case.id: place for place, case in enumerate(self._order)}
        results = [posted.result for posted in self._posted if posted.result is not None]
        runs = [self._evaluator.load_run(run) for result in results for run in result["runs"]]
        return tuple(sorted(runs, key=lambda run: (places[run.case.id], run.sample)))
