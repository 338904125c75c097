"""Learning to propose (MIPRO++): which way of asking brings instructions that lift.

Source: Opsahl-Ong et al. 2024, arXiv 2406.11695, section 3.2: the proposal's own choices are a
search space with its own surrogate, rewarded by what the proposals earn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_mipro.optimizer.proposing.plans import PlanSpace, ProposalPlan
    from pytest_mipro.optimizer.search.searcher import Searcher


@dataclass(frozen=True)
class Lesson:
    """What one proposal earned: its plan, the lift (-1…1) of its instruction, on how many rows."""

    plan: ProposalPlan
    lift: float
    rows: int


class Policy(Protocol):
    """Chooses how the next instruction is asked for."""

    def plan(self, turn: int) -> ProposalPlan:
        """Return the plan of a module's proposal number `turn`, counted from 0."""
        ...

    def learn(self, lesson: Lesson) -> None:
        """Take what a proposal earned."""
        ...


class Rotation:
    """Strategies, tips and models in turn, whatever they earn."""

    def __init__(self, plans: PlanSpace, strategies: Sequence[str]) -> None:
        self._plans = plans
        self._strategies = strategies

    def plan(self, turn: int) -> ProposalPlan:
        """Return the plan of the turn."""
        return self._plans.rotated(turn, self._strategies)

    def learn(self, lesson: Lesson) -> None:
        """Nothing is learnt."""


class Learner:
    """A searcher over plans, which begins with what earlier runs of the study learnt."""

    def __init__(
        self, plans: PlanSpace, searcher: Searcher, otherwise: Policy, memory: Iterable[Lesson]
    ) -> None:
        self._plans = plans
        self._searcher = searcher
        self._otherwise = otherwise
        for lesson in memory:
            self.learn(lesson)

    def plan(self, turn: int) -> ProposalPlan:
        """Return the searcher's next plan; that of the rotation once all were asked for."""
        assignment = self._searcher.ask()
        return self._otherwise.plan(turn) if assignment is None else self._plans.plan(assignment)

    def learn(self, lesson: Lesson) -> None:
        """Tell the searcher the lift, from -1…1 brought into its 0…1."""
        assignment = self._plans.assignment(lesson.plan)
        if assignment is not None and lesson.rows > 0:
            reward = min(1.0, max(0.0, 0.5 + lesson.lift / 2))
            self._searcher.tell(assignment, reward, lesson.rows)
