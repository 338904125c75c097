"""One round of the search: ask, evaluate on its minibatch, the leaders fully, tell in order.

At the asking of trial t exactly the results of trials 0…t-k are told (k = `in_flight`), whatever
order calls complete in, so that the same seed and replies always walk the same path.

All trials of a round share one minibatch: candidates are compared on the same rows, and calls of
modules whose prompts they share are made once. The next round draws another one. A trial runs on
the first rows of the minibatch and, unless it is hopeless by then, on the rest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.budget.limit_errors import limit_of, shortage
from pytest_mipro.optimizer.rounds.combining import combined
from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.optimizer.search.racing import first_heat, hopeless
from pytest_mipro.optimizer.search.record import Assessment
from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import cases_of
from pytest_mipro.optimizer.study.runs import mean_cost
from pytest_mipro.optimizer.study.split import minibatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.budget.budget import Reservation
    from pytest_mipro.optimizer.budget.limit_errors import Limit, Shortage
    from pytest_mipro.optimizer.measuring.evaluate import Pending
    from pytest_mipro.optimizer.rounds.search_task import SearchTask
    from pytest_mipro.optimizer.run.events import TrialKind
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.search.record import Record
    from pytest_mipro.optimizer.search.searcher import Assignment, Searcher
    from pytest_mipro.optimizer.study.case import Case
    from pytest_mipro.optimizer.study.runs import CaseRun, Evaluation

# A lift measured on n rows is shrunk towards 0 by n / (n + this): a few lucky rows are no leader.
_PRIOR_ROWS = 10
_PURPOSES = {"minibatch": "the next trial with its leader", "full": "the next full evaluation"}


@dataclass(frozen=True)
class _Trial:
    """A trial under way: on `rows` now, and on `rest` if it is not hopeless by then.

    `ended` is the first heat's evaluation where the trial ends with it; `runs` and `calls` are the
    first heat's where it went on.
    """

    number: int
    kind: TrialKind
    assignment: Assignment
    rows: tuple[str, ...]
    pending: Pending
    rest: tuple[str, ...] = ()
    reserved: Reservation | None = None
    rival: Assessment | None = None
    ended: Evaluation | None = None
    runs: tuple[CaseRun, ...] = ()
    calls: int = 0


class SearchRound:
    """Runs the trials of one round; the record grows by what comes out."""

    def __init__(self, run: StudyRun, task: SearchTask, searcher: Searcher, record: Record) -> None:
        self._study_run = run
        self._task = task
        self._searcher = searcher
        self._record = record
        self.ended = ""
        self.limit: Limit | None = None
        self._cases = cases_of(task.study, task.rows)
        self._known_cases: dict[tuple[str, ...], tuple[Case, ...]] = {}
        # By the samples that count; once a round, as a study may have ten thousand cases.
        evaluation = task.baseline.evaluation
        self._before = {samples: evaluation.scores(samples=samples) for samples in (None, 1)}
        self._batch = self._minibatch()
        self._rows_left = task.trials * len(self._batch)
        self._full_left = task.full
        self._seen = {*record.assessments, *record.dropped}
        self._full = {item.assignment for item in record.full}
        self.baseline = record.assessments[task.candidates.committed]
        for item in record.known:
            searcher.tell(item.assignment, item.estimate, item.rows)
        for assignment in sorted(record.dropped):
            searcher.tell(assignment, 0.0, len(self._batch))
        for assignment in task.first[: max(1, task.trials // 2)]:  # the rest is the searcher's
            searcher.enqueue(assignment)

    def run(self) -> None:
        """Run trials until rows, space or budget are used up, or bill or time reach their limit."""
        window: deque[_Trial] = deque()
        try:
            self._run(window)
        except LimitReachedError as error:
            self.ended, self.limit = f"the search ended early: {error}", limit_of(error)
            self._study_run.end_search()
            for trial in window:
                if trial.reserved:  # for a heat that has not begun
                    trial.reserved.settle()

    def _run(self, window: deque[_Trial]) -> None:
        in_flight = self._task.settings.in_flight
        while True:
            while len(window) < in_flight:
                trial = self._next(window)
                if trial is None:
                    break
                window.append(trial)
            if not window:
                return
            # Half of the trials are read ahead of their turn to be told: their second heats are
            # under way by then, and the endpoint stays busy.
            for place in range(min(len(window), (in_flight + 1) // 2)):
                window[place] = self._raced(window[place])
            self._finish(window.popleft())

    @property
    def _whole(self) -> bool:
        """Whether the minibatch is all rows: then every trial is a full evaluation."""
        return len(self._batch) == len(self._task.rows)

    def _cases_of(self, rows: tuple[str, ...]) -> tuple[Case, ...]:
        if rows not in self._known_cases:
            self._known_cases[rows] = cases_of(self._task.study, rows)
        return self._known_cases[rows]

    def _minibatch(self) -> tuple[str, ...]:
        tests: dict[str, set[str]] = {}
        for case in self._cases:
            tests.setdefault(case.row, set()).add(case.test)
        settings = self._task.settings
        size = settings.batch_of(len(self._task.rows))
        return minibatch(tests, size, settings.seed, draw=self._task.round)

    def _next(self, window: Sequence[_Trial]) -> _Trial | None:
        if self._rows_left >= len(self._batch):
            trial = self._next_minibatch()
            if trial is not None:
                return trial
            self._rows_left = 0
        if any(trial.kind == "minibatch" for trial in window) or self._full_left == 0:
            return None
        leader = self._leader()
        if leader is None:
            return None
        self._full_left -= 1
        return self._start("full", leader)

    def _next_minibatch(self) -> _Trial | None:
        assignment = self._combined() or self._asked()
        if assignment is None:
            return None
        return self._start("full" if self._whole else "minibatch", assignment)

    def _asked(self) -> Assignment | None:
        """Return what the searcher asks for next and was not tried; None: it has nothing new.

        It does not know of programs that were combined, and a user's may not heed what it is told.
        """
        for _ in range(len(self._seen) + 1):
            assignment = self._searcher.ask()
            if assignment not in self._seen:
                return assignment
        return None

    def _combined(self) -> Assignment | None:
        """Return, where this may be the round's last trial, an unseen program out of programs."""
        last = self._rows_left < 2 * len(self._batch)
        return combined(self._task, self._record, self._seen) if last else None

    def _leader(self) -> Assignment | None:
        """Return the most promising assignment that was not measured on all rows yet."""
        promising = [
            item
            for item in self._record.known
            if item.assignment not in self._full and item.leading > self.baseline.estimate
        ]
        best = max(promising, key=lambda item: (item.leading, -item.number), default=None)
        return best.assignment if best else None

    def _start(self, kind: TrialKind, assignment: Assignment) -> _Trial | None:
        """Reserve for the whole trial and begin its first heat; None: the budget is too small."""
        self._study_run.accounting.deadline.check()
        whole = self._task.rows if kind == "full" else self._batch
        races = self._task.settings.has("racing") and assignment not in self._record
        rows, rest = first_heat(self._batch, whole) if races else (whole, ())
        # Without a full evaluation behind them, minibatches lead nowhere: its calls are kept.
        program = self._task.candidates.program(assignment)
        worst = partial(self._task.baseline.worst, program=program)
        keep = Amount() if kind == "full" else worst(self._task.rows)
        number = self._record.asked
        reserve = partial(
            self._study_run.budget.reserve, purpose=f"trial {number}", stage="search", keep=keep
        )
        now = reserve(worst(rows)) if self._task.affordable(program) else None
        later = reserve(worst(rest)) if now is not None and rest else None
        if now is None or (rest and later is None):
            if now is not None:
                now.settle()
            needed = worst(rows) + (worst(rest) if rest else Amount()) + keep
            self._end_early(shortage(self._study_run.budget, needed), _PURPOSES[kind])
            return None
        self._record.asked += 1
        self._seen.add(assignment)
        if kind == "full":
            self._full.add(assignment)
        if kind == "minibatch" or self._whole:
            self._rows_left -= len(whole)
        pending = self._evaluate(kind, assignment, rows, now)
        rival = self._record.best
        return _Trial(number, kind, assignment, rows, pending, rest, later, rival)

    def _end_early(self, short: Shortage | None, purpose: str) -> None:
        """Note that a limit does not hold the next trial, or no decision about its program."""
        why = "too little is left to decide on a longer prompt"
        if short is not None:
            why, self.limit = short.describe(purpose), short.limit
        self.ended = f"the search ended early: {why}"

    def _evaluate(
        self,
        kind: TrialKind,
        assignment: Assignment,
        rows: tuple[str, ...],
        reservation: Reservation,
    ) -> Pending:
        return self._study_run.evaluator.start(
            self._task.candidates.program(assignment),
            self._cases_of(rows),
            reservation,
            replace(self._task.rules, repeats=kind == "full"),
        )

    def _raced(self, trial: _Trial) -> _Trial:
        """Wait for a first heat; return the trial in its second one, or ended."""
        if not trial.rest or trial.ended or not (trial.reserved and trial.rival):
            return trial
        heat = trial.pending.result()
        cases = self._cases_of(trial.rows)
        if heat.over_budget or hopeless(heat.scores(), trial.rival.scores, cases):
            return replace(trial, ended=heat)
        return replace(
            trial,
            rows=(*trial.rows, *trial.rest),
            pending=self._evaluate(trial.kind, trial.assignment, trial.rest, trial.reserved),
            rest=(),
            runs=heat.runs,
            calls=heat.calls,
        )

    def _finish(self, trial: _Trial) -> None:
        """Wait for the trial's end, return what it left over, record, tell and report it."""
        last = trial.ended or trial.pending.result()
        evaluation = replace(last, runs=(*trial.runs, *last.runs), calls=trial.calls + last.calls)
        if trial.rest and trial.reserved:
            trial.reserved.settle()
            self._rows_left += len(trial.rest)
        assessment = None
        if evaluation.over_budget:
            self._record.dropped.add(trial.assignment)
            self._searcher.tell(trial.assignment, 0.0, len(trial.rows))
        else:
            assessment = self._assess(trial, evaluation)
            self._record.assessments[trial.assignment] = assessment
            self._searcher.tell(trial.assignment, assessment.estimate, assessment.rows)
        self._report(trial, assessment, evaluation)

    def _assess(self, trial: _Trial, evaluation: Evaluation) -> Assessment:
        scores = evaluation.scores()
        samples = None if trial.kind == "full" else 1
        before = self._before[samples]
        lift = paired_lift(scores, before, self._cases_of(trial.rows))
        shrunk = lift.mean * lift.rows / (lift.rows + _PRIOR_ROWS)
        return Assessment(
            trial.assignment,
            min(1.0, max(0.0, self.baseline.estimate + lift.mean)),
            self.baseline.estimate + shrunk,
            lift.rows,
            trial.number,
            scores,
            mean_cost(evaluation.runs),
            full=trial.kind == "full" and not trial.rest,
        )

    def _report(self, trial: _Trial, assessment: Assessment | None, evaluation: Evaluation) -> None:
        self._study_run.services.emit(
            TrialFinished(
                study=self._task.study.name,
                number=trial.number,
                round=self._task.round,
                kind=trial.kind,
                assignment=trial.assignment,
                estimate=assessment.estimate if assessment else None,
                rows=len(trial.rows),
                best=self._record.best.estimate,
                calls=evaluation.calls,
                dropped=evaluation.over_budget,
                stopped=bool(trial.rest) and not evaluation.over_budget,
            )
        )
