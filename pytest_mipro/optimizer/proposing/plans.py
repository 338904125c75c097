"""How an instruction is asked for: the choices of a proposal, and the space of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pytest_mipro.optimizer.proposing.tips import TIPS
from pytest_mipro.optimizer.search.searcher import Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.study.settings import OptimizerSettings

ExampleKind = Literal["mixed", "failing", "passing"]
_TEMPERATURES = (1.0, 0.7)


@dataclass(frozen=True)
class ProposalPlan:
    """The choices of one proposal.

    Which strategy asks and which tip steers it, whether it shows the dataset and the program
    summary, which examples it draws from, and the temperature and model that answer.
    """

    strategy: str
    tip: str
    dataset: bool
    program: bool
    examples: ExampleKind
    temperature: float
    model: str


class PlanSpace:
    """All plans of a run as assignments of a `Space`; parts that are switched off have no choice.

    `names` are those of the strategies, `models` of the proposer models.
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
        self.space = Space(
            tuple(len(choices) for choices in self._choices.values()), tuple(self._choices)
        )

    def plan(self, assignment: Assignment) -> ProposalPlan:
        """Return the plan of an assignment; its first choices are all 0."""
        pairs = zip(self._choices.items(), assignment, strict=True)
        return ProposalPlan(**{name: choices[place] for (name, choices), place in pairs})  # type: ignore[arg-type]

    def rotated(self, turn: int, strategies: Sequence[str]) -> ProposalPlan:
        """Return the plan of a turn, without learning: strategies, tips and models go in turn.

        Where the same pairs of strategy and model would come again, models move on by one: each
        strategy has each model in time. All grounding is shown, as far as it is switched on.
        """
        tips, models = self._choices["tip"], self._choices["model"]
        places = dict.fromkeys(self._choices, 0)
        places["strategy"] = self._choices["strategy"].index(strategies[turn % len(strategies)])
        places["tip"] = (turn // len(strategies)) % len(tips)
        again = turn // math.lcm(len(strategies), len(models))
        places["model"] = (turn + again) % len(models)
        return self.plan(tuple(places.values()))

    def assignment(self, plan: ProposalPlan) -> Assignment | None:
        """Return the assignment of a plan; None: it is not of this space (a model left, say)."""
        places = []
        for name, choices in self._choices.items():
            value = getattr(plan, name)
            if value not in choices:
                return None
            places.append(choices.index(value))
        return tuple(places)
