"""Run a round's trials on its minibatch, and in the end the leaders on all validation rows.

When trial t is asked, the results of trials 0…t-k are known (k = `in_flight`; of more where there
was no room for t before), whatever order calls complete in, so the same seed and replies always
walk the same path.

All trials of a round share one minibatch, drawn from half of the validation rows: candidates are
compared on the same rows, and calls of modules whose prompts they share are made once. The next
round draws another one, on which the leader so far is measured first: its estimate rests on more
and more rows, and a lucky one falls back.

A trial starts when it is asked if its worst case fits beside the others'. If it does not, it waits
until all earlier ones are told, and runs alone if what it is expected to take fits. One that does
not fit even so makes room for others, which may be cheaper; the search ends where none is found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.budget.ledger import Part
from pytest_mipro.optimizer.measuring.evaluate import Pending
from pytest_mipro.optimizer.rounds.asking import Asking
from pytest_mipro.optimizer.rounds.call_shares import call_shares
from pytest_mipro.optimizer.rounds.leaders import next_leader
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.rounds.trial_parts import (
    Trial,
    hold_for_measured,
    part_of,
    why_not,
)
from pytest_mipro.optimizer.run.baseline import keep_time
from pytest_mipro.optimizer.run.events import LeaderKnown, TrialFinished, TrialKind
from pytest_mipro.optimizer.search.assessments import Assessment
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.statistics.intervals import paired_lift
from pytest_mipro.optimizer.study.case import NO_COST, Evaluation, cases_of, mean_cost, pooled_cost
from pytest_mipro.runtime.score import ROUNDING

Join = Callable[[SearchState], SearchState]
"""Waits for candidates that were asked for, and returns the state with them."""

# Trials that begin before a round's new instructions are there. They fill the wait for them.
_AHEAD = 2


def search_round(state: SearchState, join: Join = lambda state: state) -> SearchState:
    """Run a round's trials; space, budget, bill or time may end them early.

    `join` waits for the candidates that are still to come, and adds them: the first trials, always
    as many, run meanwhile.
    """
    trials = _Trials(state, trials=state.run.settings.trials_of(state.round))
    trials.run(join)
    return trials.state


def measure_leaders(state: SearchState) -> SearchState:
    """Measure leaders on all validation rows, one after the other, as long as one could win."""
    hold_for_measured(state)
    trials = _Trials(state, leaders=state.run.settings.leaders)
    trials.run()
    return trials.state


class _Trials:
    """The trials of one round, or the full evaluations after the last one."""

    def __init__(self, state: SearchState, *, trials: int = 0, leaders: int = 0) -> None:
        self.state = state
        self._run = state.run
        self._settings = state.run.settings
        self._leaders_left = leaders
        self._rows = state.baseline.split.validation
        self._cases_of = cache(partial(cases_of, state.baseline.study))
        # Only full trials run repeats. Once a round, as a study may have 10,000 cases.
        scores = state.baseline.evaluation.scores
        self._before = {"full": scores(), "minibatch": scores(samples=1)}
        self._committed = state.record.assessments[state.candidates.committed]
        size = self._settings.batch_of(len(self._rows))
        drawn_from = self._cases_of(state.trial_rows)
        self._batch = state.draw_rows(drawn_from, size, draw=state.round)
        # The minibatch may hold all rows: then every trial is a full evaluation.
        self._kind: TrialKind = "full" if len(self._batch) == len(self._rows) else "minibatch"
        self._leader = state.leader  # found anew with each result, which takes some milliseconds
        stale = bool(trials) and not self._covers(self._leader, self._batch)
        self._stale = [self._leader.assignment] if stale else []
        # In rows of a program whose calls are all new: a change of a later module costs less.
        self._rows_left = float(trials * len(self._batch))
        paths = [module.signature.prompt_path for module in state.candidates.modules]
        runs = (run for run in state.baseline.evaluation.runs if run.sample == 0)
        self._shares = call_shares(runs, paths) if trials else ()
        self._begun: set[Assignment] = set()
        self._too_dear: list[Trial] = []
        draft = Trial(-1, self._kind, state.candidates.committed, self._batch)
        self._asking = Asking(state, self._space, draft) if trials else None  # None: leaders alone

    @property
    def _space(self) -> Space:
        """The candidates' space, with what changes in it cost."""
        return replace(self.state.candidates.space, shares=self._shares)

    def run(self, join: Join | None = None) -> None:
        window: deque[Trial] = deque()
        try:
            if join:
                self._run_ahead(window, join)
            self._run_window(window)
            passed_over = [*(self._asking.passed_over if self._asking else ()), *self._too_dear]
            if passed_over and self._could_go_on:
                self.state = self.state.cut(why_not(self.state, passed_over))
        except LimitReachedError as error:
            self.state = self.state.cut(self._run.services.describe_error(error))
            self._run.end_search()

    def _run_ahead(self, window: deque[Trial], join: Join) -> None:
        """Start the first trials, as far as they fit, and wait for the candidates to come."""
        ahead = min(_AHEAD, self._settings.in_flight)
        while len(window) < ahead and (trial := self._next(window)) is not None:
            window.append(trial)
        for place, trial in enumerate(window):
            if (started := self._started(trial, first=False)) is None:
                break
            window[place] = started
        self.state = join(self.state)
        if self._asking:
            self._asking.renew(self.state, self._space)

    def _run_window(self, window: deque[Trial]) -> None:
        in_flight = self._settings.in_flight
        while True:
            while len(window) < in_flight and (trial := self._next(window)) is not None:
                window.append(trial)
            if not window:
                return
            self._start_all(window)
            if window and window[0].pending is not None:
                self._finish(window.popleft())

    def _next(self, window: Sequence[Trial]) -> Trial | None:
        if self._stale:
            return self._trial("minibatch", self._stale.pop())
        if self._asking and self._could_go_on:
            self._run.accounting.deadline.check()
            trial = self._asking.next(self.state)
            if trial is not None:
                trial = replace(trial, share=self._new_share(trial.assignment))
                self._begun.add(trial.assignment)
                self._rows_left -= trial.new_rows
                return trial
        if window or not self._leaders_left:
            return None
        self._leaders_left -= 1
        # Without a first leader there is nothing to decide on: it may take all the time there is.
        keep_time(self._run, self.state.baseline, decision=len(self.state.record.full) > 1)
        leader = next_leader(self.state, {trial.assignment for trial in self._too_dear})
        return self._trial("full", leader) if leader else None

    @property
    def _could_go_on(self) -> bool:
        """Whether trials are left, or a leader is without which there is nothing to decide on."""
        if self._asking is None:
            return len(self.state.record.full) == 1
        return self._rows_left >= len(self._batch) - ROUNDING

    def _new_share(self, assignment: Assignment) -> float:
        """Return the share of a program's calls that are new at most beside the leader's.

        Those of the committed program are known, too; where trials run other samples than the
        baseline did, only those of this round's trials.
        """
        known = {self._leader.assignment, self.state.candidates.committed}
        if self.state.baseline.search_sample:
            known = self._begun
        return self._space.new_share(assignment, known).most

    def _covers(self, assessment: Assessment, rows: Sequence[str]) -> bool:
        return all(case.id in assessment.scores for case in self._cases_of(tuple(rows)))

    def _trial(self, kind: TrialKind, assignment: Assignment) -> Trial:
        """Return the next trial, which has not begun."""
        self._run.accounting.deadline.check()
        known = self.state.record.assessments.get(assignment)
        rows = self._rows if kind == "full" else self._batch
        if kind == "minibatch" and known:
            rows = tuple(row for row in rows if not self._covers(known, [row]))
        self._begun.add(assignment)
        return Trial(-1, kind, assignment, rows)

    def _start_all(self, window: deque[Trial]) -> None:
        """Start the trials that have not begun, in order, as far as they fit beside the others.

        If what the first one is expected to take does not fit either, it is left out.
        """
        for place, trial in enumerate(window):
            if trial.pending is not None:
                continue
            started = self._started(trial, first=place == 0)
            if started is None:
                if place == 0:
                    self._leave_out(window.popleft())
                return
            window[place] = started

    def _started(self, trial: Trial, *, first: bool) -> Trial | None:
        """Return the trial with its number, under way; None where it does not fit."""
        record = self.state.record
        trial = replace(trial, number=record.asked)
        part = part_of(self.state, trial, first=first)
        if part is None:
            return None
        self.state = replace(self.state, record=replace(record, asked=record.asked + 1))
        return replace(trial, pending=self._evaluate(trial, part))

    def _leave_out(self, trial: Trial) -> None:
        self._rows_left += trial.new_rows
        self._leaders_left += self._asking is None
        self._begun.discard(trial.assignment)
        self._too_dear.append(trial)

    def _evaluate(self, trial: Trial, part: Part) -> Pending:
        baseline = self.state.baseline
        full, sample = trial.kind == "full", baseline.search_sample
        rules = replace(baseline.rules, repeats=full, first_sample=sample)
        program = self.state.candidates.program(trial.assignment)
        return self._run.evaluator.start(program, self._cases_of(trial.rows), part, rules)

    def _finish(self, trial: Trial) -> None:
        """Wait for the trial, record and report the result."""
        if trial.pending is None:
            raise ValueError(f"trial {trial.number} has not begun")
        evaluation = self._result(trial.pending)
        assessment = None if evaluation.over_budget else self._assess(trial, evaluation)
        if assessment is None:
            record = self.state.record.with_dropped(trial.assignment)
            score, rows = 0.0, len(trial.rows)
        else:
            record = self.state.record.with_assessment(assessment)
            score, rows = assessment.estimate, assessment.rows
        if self._asking:
            self._asking.tell(trial.assignment, score, rows)
        self.state = replace(self.state, record=record)
        self._leader = self.state.leader
        self._emit_leader()
        self._run.services.emit(
            TrialFinished(
                study=self._run.study.name,
                number=trial.number + 1,
                round=self.state.round + 1,
                kind=trial.kind,
                assignment=trial.assignment,
                estimate=assessment.estimate if assessment else None,
                rows=rows,
                best=self._leader.estimate,
                calls=evaluation.calls,
                dropped=evaluation.over_budget,
                scores=assessment.scores if assessment else {},
                price=assessment.cost if assessment else NO_COST,
                spent=self._run.accounting.spending.spent,
                share=trial.share,
            )
        )

    def _result(self, pending: Pending) -> Evaluation:
        return self._run.awaited("leaders", pending) if self._asking is None else pending.result()

    def _emit_leader(self) -> None:
        leader = self._leader
        before = self._before["full" if leader.full else "minibatch"]
        cases = [case for case in self._cases_of(self._rows) if case.id in leader.scores]
        lift = paired_lift(leader.scores, before, cases)
        self._run.services.emit(LeaderKnown(self._run.study.name, leader.estimate, lift))

    def _assess(self, trial: Trial, evaluation: Evaluation) -> Assessment:
        """Return what is known of the trial's assignment now, earlier minibatches included."""
        before, scores = self._before[trial.kind], evaluation.scores()
        cost = mean_cost(evaluation.runs)
        known = self.state.record.assessments.get(trial.assignment)
        if known and trial.kind == "minibatch":
            cost = pooled_cost((cost, len(scores)), (known.cost, len(known.scores)))
            scores = {**known.scores, **scores}
        cases = [case for case in self._cases_of(self._rows) if case.id in scores]
        lift = paired_lift(scores, before, cases)
        return Assessment(
            trial.assignment,
            min(1.0, max(0.0, self._committed.estimate + lift.mean)),
            lift.rows,
            known.number if known else trial.number,
            scores,
            cost,
            full=trial.kind == "full",
            lift_sd=lift.sd,
        )
