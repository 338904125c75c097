"""Proposal plans: the choices behind one request for an instruction, and learning to choose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import NormalDist
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

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

    @property
    def summaries(self) -> tuple[str, ...]:
        """The names of the summaries that the request shows."""
        return ("dataset",) * self.dataset + ("program",) * self.program


class PlanSpace:
    """All plans of a run: each combination of one choice a field. A part that is off leaves one.

    `names` are those of the strategies, `models` those of the proposer models.
    """

    def __init__(
        self, names: Sequence[str], models: Sequence[str], settings: OptimizerSettings
    ) -> None:
        self.choices: Mapping[str, tuple[Any, ...]] = MappingProxyType(
            {
                "strategy": tuple(names),
                "tip": tuple(TIPS) if settings.has("tips") else ("none",),
                "dataset": (False, True) if settings.has("dataset") else (False,),
                "program": (False, True) if settings.has("program") else (False,),
                "examples": get_args(ExampleKind),
                "temperature": _TEMPERATURES,
                "model": tuple(models),
            }
        )

    def __contains__(self, plan: ProposalPlan) -> bool:
        """Return whether a plan is of this run: with its models, strategies and parts."""
        return all(getattr(plan, name) in values for name, values in self.choices.items())

    def rotated(self, turn: int) -> ProposalPlan:
        """Return the plan of a turn, as far as nothing was learnt: each choice has its turn.

        Strategies and tips first; where their pairs would repeat, the examples and the temperature
        are the next ones. Where the pairs of strategy and model would repeat, the models shift by
        one. The request includes all grounding that is switched on.
        """
        sizes = {name: len(values) for name, values in self.choices.items()}
        repeats = turn // math.lcm(sizes["strategy"], sizes["model"])
        again = turn // (sizes["strategy"] * sizes["tip"])
        places = dict.fromkeys(self.choices, 0)
        places["strategy"] = turn % sizes["strategy"]
        places["tip"] = (turn // sizes["strategy"]) % sizes["tip"]
        places["examples"] = again % sizes["examples"]
        places["temperature"] = again % sizes["temperature"]
        places["model"] = (turn + repeats) % sizes["model"]
        places["dataset"], places["program"] = sizes["dataset"] - 1, sizes["program"] - 1
        return ProposalPlan(**{name: self.choices[name][at] for name, at in places.items()})


@dataclass(frozen=True)
class Lesson:
    """The reward of one proposal: its plan, the lift (-1…1) of its instruction, and the rows."""

    plan: ProposalPlan
    lift: float
    rows: int


# Measured by `python -m benchmarks.comparison.plan_prior --seeds 8`, each ± 0.02, while plans were
# drawn at random. Tips have no prior: the simulated model that this was measured on knows no style.
PRIOR: Mapping[tuple[str, Any], float] = MappingProxyType(
    {
        ("strategy", "grounded"): -0.007,
        ("strategy", "reflective"): -0.008,
        ("strategy", "history"): 0.009,
        ("program", False): -0.005,
        ("program", True): 0.005,
        ("examples", "mixed"): 0.012,
        ("examples", "failing"): 0.001,
        ("examples", "passing"): -0.013,
    }
)
"""The lift of a choice before any lesson, by field and choice; what is not here has 0."""

# How far the effects of choices scatter about the prior, and how far lifts of instructions that one
# plan asked for scatter about each other.
_EFFECT_SPREAD = 0.05
_LIFT_SPREAD = 0.12
_ROW_SPREAD = 0.5  # of one row's score: the most that pass or fail can have
_SURE = NormalDist().inv_cdf(0.95)
"""In deviations: how sure another choice has to be the better one to be asked out of its turn."""


# A field of the plan and its value, the lift that the choice brings, and the deviation of it.
Effect = tuple[tuple[str, Any], float, float]


class PlanPolicy:
    """Chooses how to ask for each instruction, by what the instructions asked for so far earned.

    Source: MIPRO++ in Opsahl-Ong et al. 2024, arXiv 2406.11695, section 3.2. A study has few
    proposals and many plans, so what is learnt are the effects of single choices, which add up:
    Bayesian linear regression on the lessons, from `PRIOR`. Choices take turns, by which all but
    requests without a summary are tried and the proposals of a round differ, until another is
    better with a probability of 0.95. Each is compared by itself, so that chance alone takes a few
    from their turn. Without `learning` they take turns whatever happens.
    """

    def __init__(
        self,
        plans: PlanSpace,
        *,
        learning: bool = False,
        lessons: Iterable[Lesson] = (),
        prior: Mapping[tuple[str, Any], float] = PRIOR,
    ) -> None:
        self._plans = plans
        self._learning = learning
        self._places = {
            pair: place
            for place, pair in enumerate(
                (name, value) for name, values in plans.choices.items() for value in values
            )
        }
        size = len(self._places) + 1  # the last one is the lift that all plans share
        spreads = np.full(size, _EFFECT_SPREAD)
        spreads[-1] = 1.0
        self._precision = np.diag(spreads**-2.0)
        self._told = self._precision @ [*(prior.get(pair, 0.0) for pair in self._places), 0.0]
        for lesson in lessons:
            self.learn(lesson)

    def plan(self, turn: int) -> ProposalPlan:
        """Return the plan of a module's proposal number `turn`, counted from 0."""
        plan = self._plans.rotated(turn)
        if not self._learning:
            return plan
        means = self._means

        def ahead(name: str, value: Any) -> float:
            """Return how far a choice is ahead of the one whose turn it is, in deviations."""
            contrast = self._contrast({(name, value): 1.0})
            contrast -= self._contrast({(name, getattr(plan, name)): 1.0})
            error = self._deviation(contrast)
            return float(contrast @ means) / error if error else 0.0

        best = {
            name: max(values, key=partial(ahead, name))
            for name, values in self._plans.choices.items()
        }
        return replace(plan, **{n: value for n, value in best.items() if ahead(n, value) > _SURE})

    @property
    def _means(self) -> Any:
        return np.linalg.solve(self._precision, self._told)

    def _contrast(self, weights: Mapping[tuple[str, Any], float]) -> Any:
        """Return the weight of each effect, 0 of all that have none."""
        contrast = np.zeros(len(self._told))
        for pair, weight in weights.items():
            contrast[self._places[pair]] = weight
        return contrast

    def _deviation(self, contrast: Any) -> float:
        return math.sqrt(contrast @ np.linalg.inv(self._precision) @ contrast)

    def effects(self) -> list[Effect]:
        """Return what is known of each choice: its field and value, its effect, the deviation.

        The deviation is that of its difference from the mean effect of the field's choices.
        """
        means, known = self._means, []
        for (name, value), place in self._places.items():
            values = self._plans.choices[name]
            contrast = self._contrast({(name, value): 1.0})
            contrast -= self._contrast({(name, other): 1 / len(values) for other in values})
            known.append(((name, value), float(means[place]), self._deviation(contrast)))
        return known

    def learn(self, lesson: Lesson) -> None:
        """Take in a lesson; one of other models, strategies or parts tells nothing here."""
        if lesson.rows <= 0 or lesson.plan not in self._plans:
            return
        made = self._contrast(dict.fromkeys(asdict(lesson.plan).items(), 1.0))
        made[-1] = 1.0
        weight = 1 / (_LIFT_SPREAD**2 + _ROW_SPREAD**2 / lesson.rows)
        self._precision += weight * np.outer(made, made)
        self._told += weight * lesson.lift * made
