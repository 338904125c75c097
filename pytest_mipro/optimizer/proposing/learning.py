"""Learn to propose (MIPRO++): prefer the ways of asking whose instructions raise scores.

Source: Opsahl-Ong et al. 2024, arXiv 2406.11695, section 3.2: the choices of a proposal are a
search space with its own surrogate, rewarded by what the proposals earn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_mipro.optimizer.proposing.proposal_plan import PlanSpace, ProposalPlan
from pytest_mipro.optimizer.search.searcher import Searcher


@dataclass(frozen=True)
class Lesson:
    """The reward of one proposal: its plan, the lift (-1…1) of its instruction, and the rows."""

    plan: ProposalPlan
    lift: float
    rows: int


class PlanPolicy:
    """Chooses how to ask for each instruction.

    With a `searcher` over the plans it learns, starting from the `lessons` of earlier runs. Without
    one, or once the searcher has asked for every plan, the plans rotate.
    """

    def __init__(
        self, plans: PlanSpace, searcher: Searcher | None = None, lessons: Iterable[Lesson] = ()
    ) -> None:
        self._plans = plans
        self._searcher = searcher
        for lesson in lessons:
            self.learn(lesson)

    def plan(self, turn: int) -> ProposalPlan:
        """Return the plan of a module's proposal number `turn`, counted from 0."""
        assignment = self._searcher.ask() if self._searcher else None
        return self._plans.rotated(turn) if assignment is None else self._plans.plan(assignment)

    def learn(self, lesson: Lesson) -> None:
        """Tell the searcher the lift, mapped from -1…1 to 0…1."""
        assignment = self._plans.assignment(lesson.plan)
        if self._searcher and assignment is not None and lesson.rows > 0:
            reward = min(1.0, max(0.0, 0.5 + lesson.lift / 2))
            self._searcher.tell(assignment, reward, lesson.rows)
