"""The programs that a search tried, as data of the page: estimates, scores, and what each brought.

Programs are told from each other by the number of their first trial, as the terminal counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_mipro.optimizer.run.events import FinalistChosen, TrialFinished
from pytest_mipro.optimizer.run.result import StudyResult, measured
from pytest_mipro.optimizer.search.assessments import Assessment
from pytest_mipro.optimizer.search.credit_assignment import main_effects
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.plugin.report.page.case_runs import rounded

MOST_LEADERS = 12


@dataclass(frozen=True)
class Program:
    """A program, the `number` of its first trial, and its `last` one, which knows all scores."""

    assignment: Assignment
    number: int
    last: TrialFinished

    @property
    def full(self) -> bool:
        """Whether it was measured on all validation rows."""
        return self.last.kind == "full"

    @property
    def order(self) -> tuple[bool, float, int]:
        """The best first, those that were measured in full before others."""
        return not self.full, -(self.last.estimate or 0.0), self.number


class Programs:
    """The programs of a study's trials, the best first; `dimensions` are those of its last round.

    A program that ran before a module was found has that module's committed prompt.
    """

    def __init__(self, trials: Sequence[TrialFinished], dimensions: int) -> None:
        self._dimensions = dimensions
        first: dict[Assignment, int] = {}
        last: dict[Assignment, TrialFinished] = {}
        for trial in trials:
            assignment = self.padded(trial.assignment)
            first.setdefault(assignment, trial.number)
            last[assignment] = trial
        self.committed = (0,) * dimensions
        made = [Program(each, first[each], last[each]) for each in first]
        self.all = sorted(made, key=lambda program: program.order)
        self.number = first

    def padded(self, assignment: Assignment) -> Assignment:
        """Return the assignment with a choice for each dimension."""
        return assignment + (0,) * (self._dimensions - len(assignment))

    @property
    def leaders(self) -> list[Program]:
        """The best ones, those that were measured on all validation rows first."""
        known = [each for each in self.all if each.last.scores]
        return [each for each in known if each.assignment != self.committed][:MOST_LEADERS]

    def data(self, finalist: FinalistChosen | None) -> list[dict[str, Any]]:
        """Return a row for each program."""
        chosen = self.padded(finalist.assignment) if finalist else None
        return [
            {
                "number": each.number,
                "assignment": each.assignment,
                "estimate": rounded(each.last.estimate),
                "rows": each.last.rows,
                "full": each.full,
                "dropped": each.last.dropped,
                "tokens": round(each.last.price.tokens, 1),
                "cost": each.last.price.cost,
                "finalist": each.assignment == chosen,
                "committed": each.assignment == self.committed,
            }
            for each in self.all
        ]

    def effects(self, base: float) -> dict[tuple[int, int], float]:
        """Return the lift of each choice that was tried, beside equal partners.

        `base` is the committed prompts' score on validation rows.
        """
        known = [
            Assessment(each.assignment, value, each.last.rows, each.number, {})
            for each in self.all
            if (value := each.last.estimate) is not None and each.assignment != self.committed
        ]
        committed = Assessment(self.committed, base, 1, -1, {})
        return main_effects([committed, *known], self.committed)

    def trials(self, trials: Iterable[TrialFinished]) -> list[dict[str, Any]]:
        """Return a row for each trial; its program is told by the number of its first trial."""
        return [
            {
                "number": trial.number,
                "program": self.number[self.padded(trial.assignment)],
                "round": trial.round,
                "full": trial.kind == "full",
                "estimate": rounded(trial.estimate),
                "best": rounded(trial.best),
                "rows": trial.rows,
                "dropped": trial.dropped,
                "calls": trial.spent.calls,
                "tokens": trial.spent.tokens,
                "cost": trial.spent.dollars,
            }
            for trial in trials
        ]


def committed_score(result: StudyResult) -> float:
    """Return the committed prompts' score on validation rows."""
    rows = set(result.split.validation)
    cases = {run.case.id: run.case for run in result.baseline.runs if run.case.row in rows}
    return measured(result.baseline.scores(), list(cases.values())).objective
