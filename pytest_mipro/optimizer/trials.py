"""One round of the search: ask, evaluate on its minibatch, the leaders fully, tell in order.

At the asking of trial t exactly the results of trials 0…t-k are told (k = `in_flight`), whatever
order calls complete in, so that the same seed and replies always walk the same path.

All trials of a round share one minibatch: candidates are compared on the same rows, and calls of
modules whose prompts they share are made once. The next round draws another one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.effects import composed
from pytest_mipro.optimizer.evaluate import cases_of
from pytest_mipro.optimizer.events import TrialFinished
from pytest_mipro.optimizer.record import Assessment
from pytest_mipro.optimizer.split import minibatch
from pytest_mipro.optimizer.statistics import paired_lift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.candidates import Candidates
    from pytest_mipro.optimizer.case import Case, Study
    from pytest_mipro.optimizer.evaluate import Evaluation, PendingEvaluation
    from pytest_mipro.optimizer.events import TrialKind
    from pytest_mipro.optimizer.record import Baseline, Record
    from pytest_mipro.optimizer.search import Assignment, Searcher
    from pytest_mipro.optimizer.settings import OptimizerSettings
    from pytest_mipro.optimizer.study_run import StudyRun

# A lift measured on n rows is shrunk towards 0 by n / (n + this): a few lucky rows are no leader.
_PRIOR_ROWS = 10
BUDGET_USED_UP = "the search ended early: the call budget is used up"


@dataclass(frozen=True)
class _Trial:
    number: int
    kind: TrialKind
    assignment: Assignment
    cases: tuple[Case, ...]
    pending: PendingEvaluation


@dataclass(frozen=True)
class SearchTask:
    """What a round searches, and on which rows it is judged.

    `round` counts from 0; `trials` and `full` are the assignments tried on the minibatch, and those
    measured on all rows; `first` are tried before the searcher chooses; `first_sample` is the
    sample index that trials begin with.
    """

    study: Study
    candidates: Candidates
    rows: tuple[str, ...]
    baseline: Baseline
    settings: OptimizerSettings
    round: int
    trials: int
    full: int
    first: tuple[Assignment, ...]
    first_sample: int = 0


class SearchRound:
    """Runs the trials of one round; the record grows by what comes out."""

    def __init__(self, run: StudyRun, task: SearchTask, searcher: Searcher, record: Record) -> None:
        self._run = run
        self._task = task
        self._searcher = searcher
        self._record = record
        self.ended = ""
        self._cases = cases_of(task.study, task.rows)
        self._batch = self._minibatch()
        self._left = task.trials
        self._full_left = task.full
        self._seen = {*record.assessments, *record.dropped}
        self._full = {item.assignment for item in record.full}
        self.baseline = record.assessments[task.candidates.committed]
        for item in sorted(record.assessments.values(), key=lambda item: item.number):
            searcher.tell(item.assignment, item.estimate, item.rows)
        for assignment in sorted(record.dropped):
            searcher.tell(assignment, 0.0, len(self._batch))
        for assignment in task.first[: max(1, task.trials // 2)]:  # the rest is the searcher's
            searcher.enqueue(assignment)

    def run(self) -> None:
        """Run trials until trials, space or budget are used up."""
        window: deque[_Trial] = deque()
        while True:
            while len(window) < self._task.settings.in_flight:
                trial = self._next(window)
                if trial is None:
                    break
                window.append(trial)
            if not window:
                return
            self._finish(window.popleft())

    @property
    def _whole(self) -> bool:
        """Whether the minibatch is all rows: then every trial is a full evaluation."""
        return len(self._batch) == len(self._task.rows)

    def _minibatch(self) -> tuple[str, ...]:
        tests: dict[str, set[str]] = {}
        for case in self._cases:
            tests.setdefault(case.row, set()).add(case.test)
        settings = self._task.settings
        return minibatch(tests, settings.minibatch_size, settings.seed, draw=self._task.round)

    def _next(self, window: Sequence[_Trial]) -> _Trial | None:
        if self._left > 0:
            trial = self._next_minibatch()
            if trial is not None:
                return trial
            self._left = 0
        if any(trial.kind == "minibatch" for trial in window) or self._full_left == 0:
            return None
        leader = self._leader()
        if leader is None:
            return None
        self._full_left -= 1
        return self._start("full", leader)

    def _next_minibatch(self) -> _Trial | None:
        assignment = self._composed() or self._searcher.ask()
        if assignment is None:
            return None
        self._left -= 1
        return self._start("full" if self._whole else "minibatch", assignment)

    def _composed(self) -> Assignment | None:
        """Return, as the round's last trial, the merge of what lifts in each module, if unseen."""
        if self._left > 1:
            return None
        dropped = self._record.dropped
        known = [
            item for item in self._record.assessments.values() if item.assignment not in dropped
        ]
        known.sort(key=lambda item: item.number)
        best = max(known, key=lambda item: (item.leading, -item.number))
        assignment = composed(known, best.assignment)
        return None if assignment in self._seen else assignment

    def _leader(self) -> Assignment | None:
        """Return the most promising assignment that was not measured on all rows yet."""
        promising = [
            item
            for item in self._record.assessments.values()
            if item.assignment not in self._full
            and item.assignment not in self._record.dropped
            and item.leading > self.baseline.estimate
        ]
        best = max(promising, key=lambda item: (item.leading, -item.number), default=None)
        return best.assignment if best else None

    def _start(self, kind: TrialKind, assignment: Assignment) -> _Trial | None:
        rows = self._task.rows if kind == "full" else self._batch
        number = self._record.asked
        # Without a full evaluation behind them, minibatches lead nowhere: its calls are kept.
        keep = 0 if kind == "full" else self._task.baseline.worst_calls(self._task.rows)
        worst = self._task.baseline.worst_calls(rows)
        reservation = self._run.budget.reserve(worst, f"trial {number}", keep=keep)
        if reservation is None:
            self.ended = BUDGET_USED_UP
            return None
        self._record.asked += 1
        self._seen.add(assignment)
        if kind == "full":
            self._full.add(assignment)
        cases = cases_of(self._task.study, rows)
        program = self._task.candidates.program(assignment)
        pending = self._run.evaluator.start(
            program,
            cases,
            reservation,
            repeats=kind == "full",
            first_sample=self._task.first_sample,
        )
        return _Trial(number, kind, assignment, cases, pending)

    def _finish(self, trial: _Trial) -> None:
        evaluation = trial.pending.result()
        assessment = None
        if evaluation.over_budget:
            self._record.dropped.add(trial.assignment)
            self._searcher.tell(trial.assignment, 0.0, len({case.row for case in trial.cases}))
        else:
            assessment = self._assess(trial, evaluation)
            self._record.assessments[trial.assignment] = assessment
            self._searcher.tell(trial.assignment, assessment.estimate, assessment.rows)
        self._report(trial, assessment, evaluation)

    def _assess(self, trial: _Trial, evaluation: Evaluation) -> Assessment:
        scores = evaluation.scores()
        samples = None if trial.kind == "full" else 1
        before = self._task.baseline.evaluation.scores(samples=samples)
        lift = paired_lift(scores, before, trial.cases)
        shrunk = lift.mean * lift.rows / (lift.rows + _PRIOR_ROWS)
        return Assessment(
            trial.assignment,
            min(1.0, max(0.0, self.baseline.estimate + lift.mean)),
            self.baseline.estimate + shrunk,
            lift.rows,
            trial.number,
            scores,
            full=trial.kind == "full",
        )

    def _report(self, trial: _Trial, assessment: Assessment | None, evaluation: Evaluation) -> None:
        self._run.services.emit(
            TrialFinished(
                study=self._task.study.name,
                number=trial.number,
                round=self._task.round,
                kind=trial.kind,
                assignment=trial.assignment,
                estimate=assessment.estimate if assessment else None,
                rows=len({case.row for case in trial.cases}),
                best=self._record.best.estimate,
                calls=evaluation.calls,
                dropped=evaluation.over_budget,
            )
        )
