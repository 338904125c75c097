"""`SharedEvaluator`: the leader's evaluations, run as jobs by all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_mipro.errors import BudgetError, LimitReachedError
from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.budget.meter import Accounting, Meter, MeteredRequest
from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
from pytest_mipro.optimizer.run.events import Emit, ProcessLost
from pytest_mipro.optimizer.shared.coordination_store import CoordinationStore, State
from pytest_mipro.optimizer.shared.jobs import Job, chunks, row_place, split_calls
from pytest_mipro.optimizer.shared.worker import Worker
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import Case, CaseRun, Evaluation, Study
from pytest_mipro.runtime.prompts.prompt import Prompt


@dataclass
class _Posted:
    """A job in the store, its result once it is there, and the live calls of earlier runs of it."""

    job: Job
    runs: int
    id: int
    result: Mapping[str, Any] | None = None
    live_before: frozenset[str] = frozenset()

    def spent(self) -> list[MeteredRequest]:
        """Return what the job took; a reply that was live in an earlier run counts as live."""
        return [
            MeteredRequest(digest, tuple(user), Amount(*amount), live or digest in self.live_before)
            for digest, user, amount, live, _ in (self.result["requests"] if self.result else ())
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
        self.serialiser = worker.serialiser
        self._accounting = accounting
        self._emit = emit
        entries = (*store.done(), *store.open_entries())
        self._known = {entry.key: entry.id for entry in entries if entry.kind == "job"}
        self._pending: list[SharedEvaluation] = []

    def start(
        self,
        prompts: Mapping[Path, Prompt],
        cases: Iterable[Case],
        part: Part,
        rules: MeasuringRules,
    ) -> SharedEvaluation:
        """Post the evaluation; each job may use its share of the part."""
        order = tuple(cases)
        parts = chunks(order, self._study.tests, repeats=rules.repeats)
        limits = split_calls(part.most.calls, [runs for _, runs in parts])
        whole = Job(
            cases=(),
            prompts=self.serialiser.dump_prompts(prompts),
            limit=0,
            repeats=rules.repeats,
            first_sample=rules.first_sample,
            teacher=asdict(rules.teacher) if rules.teacher else None,
            max_calls_per_case=rules.max_calls_per_case,
            stage=part.stage,
        )
        posted = []
        for (mine, runs), limit in zip(parts, limits, strict=True):
            job = replace(whole, cases=tuple(case.id for case in mine), limit=limit)
            posted.append(_Posted(job, runs, self._post(job)))
        self._worker.wake()
        spending = self._accounting.spending
        pending = SharedEvaluation(
            self,
            posted,
            {case.id: place for place, case in enumerate(order)},
            part,
            Meter(part, spending),
            partial(spending.known, mark=spending.mark),
            partial(rules.expectations.check, prompts=prompts, teacher=rules.teacher),
        )
        self._pending = [item for item in self._pending if not item.meter.closed] + [pending]
        return pending

    def start_afresh(self) -> None:
        """Withdraw all open jobs: their results are not waited for any more."""
        for pending in self._pending:
            pending.abandon()

    def withdraw(self, posted: Iterable[_Posted]) -> Amount:
        """Close jobs that are still open; return what those under way may have taken by now.

        Those that have ended meanwhile get their result.
        """
        calls = 0
        for item in posted:
            if item.result is None:
                under_way = self._store.entry(item.id).state == "running"
                if self._store.fail(item.id):
                    calls += item.job.limit if under_way else 0
                else:
                    self._fetch_ended(item)
        return Amount(calls)

    def close(self, *, wait: bool = False) -> None:
        """Nothing of its own to end: the worker runs the cases."""

    def post_again(self, posted: _Posted, limit: int) -> None:
        """Post a job once more, with a higher limit."""
        posted.live_before |= {item.digest for item in posted.spent() if item.live}
        posted.job = replace(posted.job, limit=limit)
        posted.id, posted.result = self._post(posted.job), None

    def gather(self, wanted: Sequence[_Posted], progress: Callable[[int], None]) -> None:
        """Wait for the results of these jobs; `progress` takes the number of their finished runs.

        Open jobs of other evaluations are posted anew, too, where their process died.
        """
        snapshot = self._worker.wait(-1)
        reported = 0
        while True:
            waiting = {entry.id for entry in snapshot.entries}
            for pending in self._pending:
                if not pending.meter.closed:
                    self._fetch(item for item in pending.posted if item.id not in waiting)
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

    def _post(self, job: Job, *, anew: bool = False) -> int:
        """Return the id of the job's entry, which an earlier leader may have added."""
        if anew or job.key not in self._known:
            place = row_place(self.serialiser.cases[job.cases[len(job.cases) // 2]].row)
            self._known[job.key] = self._store.put("job", job.key, place=place, job=asdict(job))
        return self._known[job.key]

    def _fetch(self, ended: Iterable[_Posted]) -> None:
        for posted in ended:
            if posted.result is not None:
                continue
            if self._fetch_ended(posted) == "failed":
                posted.id = self._post(posted.job, anew=True)

    def _fetch_ended(self, posted: _Posted) -> State:
        """Return the state of a job; one that is done gets its result."""
        entry = self._store.entry(posted.id)
        if entry.state == "done":
            posted.result = entry.fact("result")
        return entry.state


@dataclass(frozen=True)
class SharedEvaluation:
    """An evaluation under way, in jobs that all processes run; see `Pending`.

    `known` tells whether an earlier evaluation of the run counted the request of a digest.
    """

    evaluator: SharedEvaluator
    posted: Sequence[_Posted]
    places: Mapping[str, int]
    part: Part
    meter: Meter
    known: Callable[[str], bool]
    check: Callable[[Sequence[CaseRun]], None]

    @property
    def size(self) -> int:
        """How many case runs there are."""
        return sum(posted.runs for posted in self.posted)

    def abandon(self) -> None:
        """Withdraw the jobs, charge what they spent, and wait no longer; nothing after `result`."""
        if self.meter.closed:
            return
        unfinished = self.evaluator.withdraw(self.posted)
        with suppress(BudgetError):
            for item in self._spent():
                self.meter.note(item)
        self.meter.abandon(unfinished)

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Wait for all jobs, settle the budget and return the evaluation; see `Pending.result`."""
        progress = progress or (lambda _: None)
        try:
            self.evaluator.gather(self.posted, progress)
            while self._extend():
                self.evaluator.gather(self.posted, progress)
        except LimitReachedError:
            self.abandon()
            raise
        calls, over = self._charge()
        if over:
            return Evaluation((), calls, over_budget=self.meter.exceeded)
        results = [item.result["runs"] for item in self.posted if item.result is not None]
        load = self.evaluator.serialiser.load_run
        found = [load(run) for runs in results for run in runs]
        runs = sorted(found, key=lambda run: (self.places[run.case.id], run.sample))
        self.check(runs)
        return Evaluation(tuple(runs), calls)

    def _spent(self) -> list[MeteredRequest]:
        return [item for posted in self.posted for item in posted.spent()]

    def _extend(self) -> bool:
        """Split what is left of the part among jobs that need more than their shares."""
        new = {item.digest for item in self._spent() if not self.known(item.digest)}
        left = self.part.most.calls - len(new)
        over = [posted for posted in self.posted if posted.is_over]
        if left <= 0 or not over:
            return False
        for posted, more in zip(over, split_calls(left, [it.runs for it in over]), strict=True):
            self.evaluator.post_again(posted, len(posted.spent()) + max(1, more))
        return True

    def _charge(self) -> tuple[int, bool]:
        """Charge the requests; return the calls, and whether they were more than reserved."""
        over = any(posted.is_over for posted in self.posted)
        try:
            for item in self._spent():
                self.meter.note(item)
        except BudgetError:
            over = True
        return self.meter.settle(whole=over), over
