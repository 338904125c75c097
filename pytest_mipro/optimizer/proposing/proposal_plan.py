"""Proposal plans: the choices behind one request for an instruction, and learning to choose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pytest_mipro.optimizer.search.searcher import Assignment, Searcher, Space
from pytest_mipro.optimizer.study.settings import OptimizerSettings

ExampleKind = Literal["mixed", "failing", "passing"]
_TEMPERATURES = (1.0, 0.7)

TIPS = {
    "none": "",
    "descriptive": "Make the instruction very informative and descriptive.",
    "simple": "Keep the instruction clear and concise.",
    "creative": "Don't be afraid to be creative.",
    "high stakes": "The instruction should name a high-stakes situation that needs the answer.",
    "persona": "The instruction should give the module a persona that fits its task.",
}
"""MIPRO's tips (arXiv 2406.11695, appendix); each steers the style of a proposal."""


@dataclass(frozen=True)
class ProposalPlan:
    """The choices of one proposal.

    `dataset` and `program`: the request shows their summaries. `examples` names those it draws
    from.
    """

    strategy: str
    tip: str
    dataset: bool
    program: bool
    examples: ExampleKind
    temperature: float
    model: str


class PlanSpace:
    """All plans of a run as assignments of a `Space`. A part that is off leaves a single choice.

    `names` are those of the strategies, `models` those of the proposer models.
    """

    def __init__(
        self, names: Sequence[str], models: Sequence[str], settings: OptimizerSettings
    ) -> None:
        self._choices: dict[str, Sequence[object]] = {
            "strategy": tuple(names),
            "tip": tuple(TIPS) if settings.has("tips") else ("none",),
            "dataset": (True, False) if settings.has("dataset") else (False,),
            "program": (True, False) if settings.has("program") else (False,),
            "examples": get_args(ExampleKind),
            "temperature": _TEMPERATURES,
            "model": tuple(models),
        }
        sizes = tuple(len(choices) for choices in self._choices.values())
        self.space = Space(sizes, tuple(self._choices))

    def plan(self, assignment: Assignment) -> ProposalPlan:
        """Return the plan of an assignment."""
        pairs = zip(self._choices.items(), assignment, strict=True)
        return ProposalPlan(**{name: choices[place] for (name, choices), place in pairs})  # type: ignore[arg-type]

    def rotated(self, turn: int) -> ProposalPlan:
        """Return the plan of a turn without learning: strategies, tips and models take turns.

        Where the pairs of strategy and model would repeat, the models shift by one. The request
        includes all grounding that is switched on.
        """
        sizes = dict(zip(self.space.names, self.space.sizes, strict=True))
        repeats = turn // math.lcm(sizes["strategy"], sizes["model"])
        places = dict.fromkeys(self._choices, 0)
        places["strategy"] = turn % sizes["strategy"]
        places["tip"] = (turn // sizes["strategy"]) % sizes["tip"]
        places["model"] = (turn + repeats) % sizes["model"]
        return self.plan(tuple(places.values()))

    def assignment(self, plan: ProposalPlan) -> Assignment | None:
        """Return the assignment of a plan; None if the plan is outside this space."""
        pairs = [(choices, getattr(plan, name)) for name, choices in self._choices.items()]
        if any(value not in choices for choices, value in pairs):
            return None  # it comes from a run with other models, strategies or parts
        return tuple(choices.index(value) for choices, value in pairs)


@dataclass(frozen=True)
class Lesson:
    """The reward of one proposal: its plan, the lift (-1…1) of its instruction, and the rows."""

    plan: ProposalPlan
    lift: float
    rows: int


class PlanPolicy:
    """Chooses how to ask for each instruction, by what the instructions asked for so far earned.

    Source: MIPRO++ in Opsahl-Ong et al. 2024, arXiv 2406.11695, section 3.2.

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
