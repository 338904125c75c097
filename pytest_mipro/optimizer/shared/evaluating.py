"""Evaluations of the process that leads, run as jobs by all processes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import BudgetError, LimitReachedError
from pytest_mipro.optimizer.budget.meter import Meter, MeteredRequest
from pytest_mipro.optimizer.run.events import ProcessLost
from pytest_mipro.optimizer.shared.jobs import Job, chunks, place_of, prompts_json, shares
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.runs import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.budget.budget import Reservation
    from pytest_mipro.optimizer.budget.meter import Accounting
    from pytest_mipro.optimizer.measuring.evaluate import MeasuringRules
    from pytest_mipro.optimizer.run.events import Emit
    from pytest_mipro.optimizer.shared.board import Board
    from pytest_mipro.optimizer.shared.member import Member
    from pytest_mipro.optimizer.study.case import Case, Study
    from pytest_mipro.optimizer.study.runs import CaseRun
    from pytest_mipro.runtime.prompts.prompt import Prompt


@dataclass
class _Put:
    """A job on the board, its result once that is there, and the live calls of earlier runs."""

    job: Job
    runs: int
    id: int
    result: Mapping[str, Any] | None = None
    lived: frozenset[str] = frozenset()

    @property
    def spent(self) -> list[MeteredRequest]:
        """What the job took; what an endpoint answered in an earlier run of it was live, too."""
        found = []
        for digest, user, amount, live in self.result["requests"] if self.result else ():
            was_live = live or digest in self.lived
            found.append(MeteredRequest(digest, tuple(user), Amount(*amount), was_live))
        return found

    @property
    def is_over(self) -> bool:
        return bool(self.result and self.result["over"])


class SharedEvaluator:
    """Puts evaluations on the board in jobs, and gathers what came of them.

    A job that the board has already, of a process that led before, is not run again: to take the
    lead is to walk the same path once more, at no cost.
    """

    def __init__(
        self, study: Study, board: Board, member: Member, accounting: Accounting, emit: Emit
    ) -> None:
        self._study = study
        self._board = board
        self._member = member
        self._accounting = accounting
        self._emit = emit
        entries = (*board.done(), *board.open_entries())
        self._known = {entry.key: entry.id for entry in entries if entry.kind == "job"}
        self._open: list[_Put] = []
        self._pending: list[SharedEvaluation] = []

    def start(
        self,
        prompts: Mapping[Path, Prompt],
        cases: Iterable[Case],
        reservation: Reservation,
        rules: MeasuringRules,
    ) -> SharedEvaluation:
        """Put the evaluation up; each job may use its share of the reservation."""
        order = tuple(cases)
        parts = chunks(order, self._study.tests, repeats=rules.repeats)
        limits = shares(reservation.amount.calls, [runs for _, runs in parts])
        whole = Job(
            cases=(),
            prompts=prompts_json(prompts, self._member.crew.root),
            limit=0,
            repeats=rules.repeats,
            first_sample=rules.first_sample,
            teacher=asdict(rules.teacher) if rules.teacher else None,
            max_calls_per_case=rules.max_calls_per_case,
        )
        put = [
            self._put(replace(whole, cases=tuple(case.id for case in mine), limit=limit), runs)
            for (mine, runs), limit in zip(parts, limits, strict=True)
        ]
        self._member.wake()
        check = partial(rules.expectations.check, prompts=prompts, teacher=rules.teacher)
        account = _Account(reservation, self._accounting)
        pending = SharedEvaluation(self, put, order, account, check)
        self._pending = [item for item in self._pending if not item.closed] + [pending]
        return pending

    def start_afresh(self) -> None:
        """Take all jobs that are open off the board: nobody waits for them any more."""
        for pending in self._pending:
            pending.abandon()

    def drop(self, put: Iterable[_Put]) -> None:
        """Take jobs off the board."""
        for item in put:
            if item in self._open:
                self._open.remove(item)
                self._board.fail(item.id)

    def close(self, *, wait: bool = False) -> None:
        """Nothing of its own to end: the member runs the cases."""

    def put_again(self, put: _Put, limit: int) -> None:
        """Put a job up once more, with a higher limit."""
        again = self._put(put.job.with_limit(limit), put.runs)
        put.lived |= {item.digest for item in put.spent if item.live}
        put.job, put.id, put.result = again.job, again.id, None
        self._open[-1] = put  # in the place of its copy

    def gather(self, wanted: Sequence[_Put], progress: Callable[[int], None]) -> None:
        """Wait for the results of these jobs; `progress` is told the number of their runs.

        Jobs of other evaluations are looked after meanwhile: one whose process died is put up anew.
        """
        look = self._member.check()
        told = 0
        while True:
            waiting = {entry.id for entry in look.entries}
            for put in [item for item in self._open if item.id not in waiting]:
                self._fetch(put)
            done = sum(put.runs for put in wanted if put.result is not None)
            if done > told:
                told = done
                progress(done)
            if all(put.result is not None for put in wanted):
                return
            self._accounting.deadline.check()
            look = self._member.wait(look.serial)
            for name in self._member.lost():
                self._emit(ProcessLost(self._study.name, name))

    def read(self, data: Mapping[str, Any]) -> CaseRun:
        """Return a run of a job's result."""
        return self._member.transcripts.read(data)

    def _put(self, job: Job, runs: int) -> _Put:
        key = job.key
        if key not in self._known:
            self._known[key] = self._board.put("job", key, place=self._place(job), job=job.json())
        put = _Put(job, runs, self._known[key])
        self._open.append(put)
        return put

    def _fetch(self, put: _Put) -> None:
        entry = self._board.entry(put.id)
        if entry.state == "done":
            put.result = entry.fact("result")
            self._open.remove(put)
        elif entry.state == "failed":
            key, place = put.job.key, self._place(put.job)
            put.id = self._known[key] = self._board.put("job", key, place=place, job=put.job.json())

    def _place(self, job: Job) -> float:
        """Return the place of the job's middle case."""
        return place_of(self._member.transcripts.case(job.cases[len(job.cases) // 2]).row)


class _Account:
    """What an evaluation's jobs used of its reservation, counted as one process would count it."""

    def __init__(self, reservation: Reservation, accounting: Accounting) -> None:
        self._reservation = reservation
        self._ledger = accounting.ledger
        self._mark = accounting.ledger.mark
        self._meter = Meter(reservation, accounting.ledger, accounting.spending, by_usage=True)

    @property
    def exceeded(self) -> str:
        """What an evaluation that was dropped needed, in words."""
        return self._meter.exceeded

    def left(self, spent: Iterable[MeteredRequest]) -> int:
        """Return how many calls of the reservation are left."""
        digests = {item.digest for item in spent}
        new = sum(not self._ledger.known(digest, self._mark) for digest in digests)
        return self._reservation.amount.calls - new

    def settle(self, spent: Sequence[MeteredRequest], *, over: bool) -> tuple[int, bool]:
        """Charge the requests; return the calls, and whether they were more than reserved."""
        try:
            for item in spent:
                self._meter.see(item.digest, user=item.user)
                self._meter.answered(item.digest, item.amount, live=item.live)
        except BudgetError:
            over = True
        return self._meter.settle(whole=over), over

    @property
    def closed(self) -> bool:
        """Whether the evaluation was settled or abandoned."""
        return self._meter.closed

    def abandon(self, spent: Iterable[MeteredRequest]) -> None:
        """Charge what is known to be spent, and count no more."""
        with suppress(BudgetError):
            for item in spent:
                self._meter.see(item.digest, user=item.user)
        self._meter.abandon()


class SharedEvaluation:
    """An evaluation under way on the board."""

    def __init__(
        self,
        evaluator: SharedEvaluator,
        put: list[_Put],
        order: Sequence[Case],
        account: _Account,
        check: Callable[[Sequence[CaseRun]], None],
    ) -> None:
        self._evaluator = evaluator
        self._put = put
        self._order = order
        self._account = account
        self._check = check

    def abandon(self) -> None:
        """Wait no longer: the jobs are taken off the board. Nothing changes behind `result`."""
        if not self.closed:
            self._evaluator.drop(self._put)
            self._account.abandon(self._spent)

    @property
    def closed(self) -> bool:
        """Whether the evaluation has ended."""
        return self._account.closed

    def result(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Wait for all jobs, settle the budget and return the evaluation; see `Pending.result`."""
        try:
            return self._result(progress or _untold)
        except LimitReachedError:
            self.abandon()
            raise

    def _result(self, progress: Callable[[int], None]) -> Evaluation:
        self._evaluator.gather(self._put, progress)
        while (left := self._account.left(self._spent)) > 0 and self._extend(left):
            self._evaluator.gather(self._put, progress)
        over = any(put.is_over for put in self._put)
        calls, over = self._account.settle(self._spent, over=over)
        if over:
            return Evaluation((), calls, over_budget=self._account.exceeded)
        runs = self._runs()
        self._check(runs)
        return Evaluation(runs, calls)

    @property
    def _results(self) -> list[Mapping[str, Any]]:
        return [put.result for put in self._put if put.result is not None]

    @property
    def _spent(self) -> list[MeteredRequest]:
        return [item for put in self._put for item in put.spent]

    def _extend(self, left: int) -> bool:
        """Share what is left of the reservation out to jobs that need more than their shares."""
        over = [put for put in self._put if put.is_over]
        for put, more in zip(over, shares(left, [put.runs for put in over]), strict=True):
            if put.result is not None:
                self._evaluator.put_again(put, len(put.result["requests"]) + max(1, more))
        return bool(over)

    def _runs(self) -> tuple[CaseRun, ...]:
        """Return the runs in the order in which one process would have them."""
        places = {case.id: place for place, case in enumerate(self._order)}
        runs = [self._evaluator.read(run) for result in self._results for run in result["runs"]]
        return tuple(sorted(runs, key=lambda run: (places[run.case.id], run.sample)))


def _untold(done: int) -> None:
    """Tell nobody."""
    del done
