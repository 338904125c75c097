"""The state of a search: what it rests on, and what its rounds have found so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pytest_mipro.optimizer.proposing.proposal_plan import Lesson
from pytest_mipro.optimizer.proposing.proposer_models import Proposal
from pytest_mipro.optimizer.rounds.demo_pools import DemoPools
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.search.assessments import Assessment, Record
from pytest_mipro.optimizer.search.candidates import Candidates
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.search.surrogate import Surrogate, trusted_weight
from pytest_mipro.optimizer.statistics.intervals import objective
from pytest_mipro.optimizer.study.case import Case, cases_of, mean_cost
from pytest_mipro.optimizer.study.split import minibatch
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.score import ROUNDING
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.number_words import counted

_PERFECT = "every validation row has the full score"


@dataclass(frozen=True)
class SearchState:
    """The search of one study so far; each step of a round returns the next state.

    `round` counts from 0. `pools` holds each module's demo candidates. `summaries` are those
    of the dataset and the program, as far as a plan asked for them. `rewarded` are the indices
    of the `proposals` that a lesson was drawn from. `ways` says how the demos of a set, given by
    its digest, were drawn; `taught_sets` are the digests of those that show replies of a program
    which training rows shaped, `taught` tells whether all further sets do. `late` maps the modules
    that only candidates reach to their models. `ended` says why the search ended before all its
    trials ("" if it didn't), `cut_short` whether a limit did that. `unproposed` holds by round
    why it got no instructions, where a limit kept it from them.
    """

    run: StudyRun
    baseline: Baseline
    candidates: Candidates
    record: Record
    round: int = 0
    pools: DemoPools = field(default_factory=DemoPools)
    summaries: Mapping[str, str] = field(default_factory=dict)
    proposals: tuple[Proposal, ...] = ()
    rewarded: frozenset[int] = frozenset()
    ways: Mapping[str, str] = field(default_factory=dict)
    taught_sets: frozenset[str] = frozenset()
    taught: bool = False
    lessons: tuple[Lesson, ...] = ()
    late: Mapping[Signature, str] = field(default_factory=dict)
    ended: str = ""
    cut_short: bool = False
    unproposed: Mapping[int, str] = field(default_factory=dict)

    @property
    def incumbent(self) -> Assignment:
        """The assignment that is believed best so far."""
        return self.leader.assignment

    @cached_property
    def leader(self) -> Assessment:
        """The incumbent's assessment, whatever rows it rests on; of equal ones the earliest."""
        means = self.means
        return max(self.record.known, key=lambda item: (means[item.assignment], -item.number))

    @cached_property
    def means(self) -> dict[Assignment, float]:
        """What the score of each measured assignment is believed to be."""
        known = [item.assignment for item in self.record.known]
        return dict(zip(known, self.means_of(known), strict=True))

    def means_of(self, assignments: Sequence[Assignment]) -> list[float]:
        """Return what the score of each of these assignments is believed to be."""
        weight = self.trusted_row_weight
        known = {item: (score, weight * rows) for item, (score, rows) in self._estimates.items()}
        return Surrogate(self.candidates.space, known).means(assignments)

    @cached_property
    def trusted_row_weight(self) -> float:
        """How much a row tells of a program; see `trusted_weight`."""
        return trusted_weight(self.candidates.space, self._estimates, self.record.row_weight)

    @property
    def _estimates(self) -> dict[Assignment, tuple[float, float]]:
        """The score of each measured assignment, and its rows."""
        return {item.assignment: (item.estimate, float(item.rows)) for item in self.record.known}

    @property
    def tried(self) -> int:
        """How many assignments were measured, not counting the committed one."""
        return len(self.record.assessments) - 1

    @property
    def trial_rows(self) -> tuple[str, ...]:
        """The validation rows that trials run on: half of them, or all where these are too few.

        The others are kept for the leaders, whom they help to decide on: no instruction was written
        from them, and none is judged by a demo of its own unit. Rows of a unit stay together, and
        no seed moves one.
        """
        split = self.baseline.split
        least = self.run.settings.batch_of(len(split.validation))
        size = max(least, (len(split.validation) + 1) // 2)
        tests = _tests_of(cases_of(self.baseline.study, split.validation))
        drawn = minibatch(tests, size, seed=0)
        units = {split.units.get(row, row) for row in drawn}
        return tuple(row for row in split.validation if split.units.get(row, row) in units)

    @property
    def solved(self) -> str:
        """Why trials can end: every score of the incumbent is full on all that they run, else "".

        Its estimate does not tell: that is of other rows, too. Where all is one minibatch, trials
        go on: the leaders are told apart on the other rows.
        """
        leader, rows = self.leader, self.baseline.split.clusters(self.trial_rows)
        batch = self.run.settings.batch_of(len(self.baseline.split.validation))
        several = batch < len(self.trial_rows)
        full = all(score >= 1 - ROUNDING for score in leader.scores.values())
        perfect = leader.rows >= rows and full
        on = counted(leader.rows, "row")
        return f"the leader has the full score on {on}" if several and perfect else ""

    @property
    def perfect(self) -> str:
        """Why the incumbent can't be improved; "" if it can."""
        return _PERFECT if self.record.best.estimate >= 1 - ROUNDING else ""

    def made_for_training(self, assignment: Assignment) -> bool:
        """Return whether a program has an instruction or a demo set that training rows shaped.

        New instructions are written from them.
        """
        return any(
            assignment[2 * index]
            or Prompt("", module.demo_sets[assignment[2 * index + 1]]).digest() in self.taught_sets
            for index, module in enumerate(self.candidates.modules)
        )

    def cut(self, reason: str) -> SearchState:
        """Return the state of a search that a limit ends now, unless it has ended before."""
        if self.ended:
            return self
        return replace(self, ended=f"the search ended early: {reason}", cut_short=True)

    def without_proposals(self, reason: str) -> SearchState:
        """Return the state of a round that a limit keeps from new instructions."""
        return replace(self, unproposed={**self.unproposed, self.round + 1: reason})

    @property
    def ending(self) -> str:
        """Why the search ended early, and which rounds a limit kept from new instructions."""
        rounds: dict[str, list[str]] = {}
        for number, reason in sorted(self.unproposed.items()):
            rounds.setdefault(reason, []).append(str(number))
        without = [
            f"no new instructions in round {', '.join(numbers)}: {reason}"
            for reason, numbers in rounds.items()
        ]
        return "; ".join(filter(None, (self.ended, *without)))

    def with_modules(self, models: Mapping[Signature, str]) -> SearchState:
        """Return the state with more modules (given with their models) under committed prompts."""
        prompts = {signature: self.run.services.load_prompt(signature) for signature in models}
        return replace(
            self,
            candidates=self.candidates.with_modules(prompts),
            record=self.record.widened(2 * len(models)),
            late={**self.late, **models},
        )

    def draw_rows(self, cases: Iterable[Case], size: int, draw: int) -> tuple[str, ...]:
        """Return a stratified sample of `size` rows of the cases; see `minibatch`."""
        return minibatch(_tests_of(cases), size, self.run.settings.seed, draw=draw)


def _tests_of(cases: Iterable[Case]) -> dict[str, set[str]]:
    """Return the tests of each row."""
    tests: dict[str, set[str]] = {}
    for case in cases:
        tests.setdefault(case.row, set()).add(case.test)
    return tests


def baseline_record(candidates: Candidates, baseline: Baseline) -> Record:
    """Return a record that holds the baseline's assessment of the committed prompts."""
    cases = cases_of(baseline.study, baseline.split.validation)
    every = baseline.evaluation.scores()
    scores = {case.id: every[case.id] for case in cases}
    value = objective(scores, {case.id: case.test for case in cases})
    committed = Assessment(
        candidates.committed,
        estimate=value,
        rows=len(baseline.split.validation),
        number=-1,
        scores=scores,
        cost=mean_cost([run for run in baseline.evaluation.runs if run.case.id in scores]),
        full=True,
    )
    return Record({committed.assignment: committed})
