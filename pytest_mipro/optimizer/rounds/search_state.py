"""What the rounds of a search brought so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.search.record import Assessment, Record
from pytest_mipro.optimizer.statistics.intervals import objective
from pytest_mipro.optimizer.study.case import cases_of
from pytest_mipro.optimizer.study.runs import mean_cost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_mipro.optimizer.budget.limit_errors import Limit
    from pytest_mipro.optimizer.proposing.learning import Lesson
    from pytest_mipro.optimizer.proposing.proposed import Proposed
    from pytest_mipro.optimizer.proposing.strategy import Grounding
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.search.candidates import Candidates
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
    from pytest_mipro.runtime.signature.signature import Signature

# Estimates are sums of floats: 0.95 and a lift of 0.05 need not make 1 exactly.
_ROUNDING = 1e-9
_PERFECT = "every validation row has the full score"


@dataclass(frozen=True)
class SearchState:
    """What the rounds so far brought: candidates, the record of assignments, demo pools.

    `late` holds the models of modules that only candidates reach. `ended` says why the search
    ended before its time, "" where it did not, and `limit` which limit ended it.
    """

    candidates: Candidates
    record: Record
    pools: Mapping[Path, tuple[Demo, ...]] = field(default_factory=dict)
    grounding: Grounding | None = None
    proposals: tuple[Proposed, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    late: Mapping[Signature, str] = field(default_factory=dict)
    ended: str = ""
    limit: Limit | None = None

    @property
    def best(self) -> Assignment:
        """The incumbent: the best assignment measured on all validation rows."""
        return self.record.best.assignment

    @property
    def program(self) -> dict[Path, Prompt]:
        """The incumbent's prompts by path."""
        return self.candidates.program(self.best)

    @property
    def tried(self) -> int:
        """How many assignments beside the committed one were measured."""
        return len(self.record.assessments) - 1

    @property
    def perfect(self) -> str:
        """That the incumbent can't be improved, in words; "" where it can."""
        return _PERFECT if self.record.best.estimate >= 1 - _ROUNDING else ""

    def reaching(
        self, models: Mapping[Signature, str], committed: Mapping[Signature, Prompt]
    ) -> SearchState:
        """Return the same with more modules, under their committed prompts; models by signature."""
        return replace(
            self,
            candidates=self.candidates.with_modules(committed),
            record=self.record.widened(2 * len(models)),
            late={**self.late, **models},
        )

    def nothing_better(self) -> str:
        """Return why the committed prompts are still the best."""
        if self.perfect:
            return f"{self.perfect} under the committed prompts"
        if self.ended and len(self.record.full) == 1:
            return f"{self.ended}, and no candidate was measured on all validation rows"
        return "no candidate beat the committed prompts on validation rows"


def new_record(candidates: Candidates, ground: Ground) -> Record:
    """Return a record that knows what the baseline says of the committed prompts."""
    cases = cases_of(ground.study, ground.split.validation)
    scores = ground.baseline.evaluation.scores()
    mine = {case.id: scores[case.id] for case in cases}
    value = objective(mine, {case.id: case.test for case in cases})
    rows = len(ground.split.validation)
    runs = [run for run in ground.baseline.evaluation.runs if run.case.id in mine]
    committed = Assessment(
        candidates.committed, value, value, rows, -1, mine, mean_cost(runs), full=True
    )
    return Record({committed.assignment: committed})
