"""The settings of one study's optimisation, the sizes of an effort, and the optimiser's parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from pytest_mipro.optimizer.study.amount import Limits, nanodollars
from pytest_mipro.optimizer.study.split import MIN_HOLDOUT

PARTS = MappingProxyType(
    {
        "instructions": "proposed instructions; without them only demos are searched",
        "demos": "bootstrapped demos; without them only instructions are searched",
        "dataset": "the dataset summary in proposals",
        "program": "the program summary in proposals",
        "tips": "the tips that steer the style of proposals",
        "grounded": "the strategy that shows everything known of the task",
        "history": "the strategy that continues the series of earlier instructions",
        "reflective": "the strategy that learns from failing traces",
        "brief": "the short request for models that lose a long one",
        "attempts": "more attempts at failing cases, at temperature 1, where demos are few",
        "learning": "learning how to propose; without it choices of how to propose take turns",
        "minibatches": "trials on minibatches; without them on all validation rows",
        "plateau": "the end after rounds without a better program",
        "rounds": "feedback rounds; without them everything is proposed at once",
    }
)
"""What each part is for, by name."""

OPTIONAL = frozenset({"history"})
"""Parts that are off by default: they did not pay on average (see `benchmarks/`)."""
DEFAULT = frozenset(PARTS) - OPTIONAL
"""Parts that are on by default."""

_ENOUGH = 8
FIRST_DEMOS = 32
"""How many demos a program is first shown in all. Few seldom help, and more follow if these do."""


Effort = Literal["light", "medium", "heavy"]
Accept = Literal["better", "likely"]


@dataclass(frozen=True)
class OptimizerSettings:
    """Limits and sizes of one study's optimisation.

    Sizes: all `rounds` together cost as many calls as `trials` programs on minibatches of
    `minibatch_size` rows; those that change a late module alone leave room for more. With
    `more_for_pipelines` a program of several modules, which has more to choose from, gets half as
    many again.
    Each round gives every module `candidates` new instructions and as many demo sets. Before that
    it runs the incumbent on `training_rows` rows, and makes at most `attempts` further attempts at
    failing cases (by `teacher_model`, if given). In the end at most `leaders` programs are measured
    on all validation rows. The search ends after `patience` rounds without a better program, but
    not before each kind of move was tried. A demo set has at most `max_demos` demos (None: as many
    as fit) and, by estimate, `max_demo_tokens` tokens. A holdout needs `min_holdout` rows. With
    `accept` "likely", a finalist may be written that is only likely better, or that too few rows
    decide on.

    Limits (None: no limit): `max_calls` distinct LM requests of the study, cached ones included,
    and the `max_tokens` and `max_cost` (US dollars) that they take; `max_seconds` of the run;
    `case_timeout` seconds and `max_calls_per_case` calls of one case.

    `concurrency` bounds the LM calls under way. `in_flight` trials run at once: a constant of the
    study, so that concurrency never changes a result. `parts` are those switched on.
    """

    seed: int = 0
    rounds: int = 2
    trials: int = 9
    more_for_pipelines: bool = False
    candidates: int = 3
    leaders: int = 2
    minibatch_size: int = 12
    training_rows: int = 24
    max_demos: int | None = None
    min_holdout: int = MIN_HOLDOUT
    accept: Accept = "better"
    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    max_calls_per_case: int | None = None
    case_timeout: float | None = None
    concurrency: int = 16
    proposer_models: tuple[str, ...] = ()
    teacher_model: str | None = None
    in_flight: int = 4
    attempts: int = 20
    patience: int = 2
    max_demo_tokens: int = 4_000
    parts: frozenset[str] = DEFAULT

    @property
    def limits(self) -> Limits:
        """The limits of the run's spending."""
        money = None if self.max_cost is None else nanodollars(self.max_cost)
        return Limits(self.max_calls, self.max_tokens, money)

    @property
    def enough_demos(self) -> int:
        """With fewer demos to draw from, failing cases are tried again."""
        return _ENOUGH if self.max_demos is None else min(_ENOUGH, self.max_demos)

    def has(self, part: str) -> bool:
        """Return whether a part is switched on; ValueError for one that does not exist."""
        if part not in PARTS:
            raise ValueError(f"{part!r} is not a part of the optimiser")
        return part in self.parts

    def in_rounds(self) -> OptimizerSettings:
        """Return the settings with one round for all where feedback rounds are switched off."""
        if self.has("rounds"):
            return self
        return replace(
            self,
            rounds=1,
            candidates=self.rounds * self.candidates,
        )

    def batch_of(self, rows: int) -> int:
        """Return how many of `rows` validation rows a trial is scored on."""
        return min(self.minibatch_size, rows) if self.has("minibatches") else rows

    def attempts_at(self, cases: int) -> int:
        """Return the most attempts that all rounds make at this many failing cases."""
        some = self.has("demos") and (self.has("attempts") or self.teacher_model is not None)
        return self.rounds * min(self.attempts, cases) if some else 0

    def later(self, more: int) -> int:
        """Return the mean over the rounds of what all but the first have `more`."""
        return more * (self.rounds - 1) // self.rounds

    def for_modules(self, modules: int) -> OptimizerSettings:
        """Return the settings of a search of so many modules."""
        more = self.more_for_pipelines and modules > 1
        return replace(self, trials=self.trials * 3 // 2) if more else self

    def trials_of(self, number: int) -> int:
        """Return the trials of a round, counted from 0; early rounds take the remainder."""
        return self.trials // self.rounds + (number < self.trials % self.rounds)


_SIZES = {
    "light": {"rounds": 2, "trials": 9, "candidates": 3, "leaders": 2},
    "medium": {"rounds": 4, "trials": 20, "candidates": 3, "leaders": 3},
    "heavy": {"rounds": 6, "trials": 48, "candidates": 4, "leaders": 3},
}


# On fewer rows a larger search chooses by chance, and finds hardly more (see `benchmarks/`).
_LEAST_UNITS: dict[Effort, int] = {"light": 0, "medium": 100, "heavy": 120}


def least_units(effort: Effort) -> int:
    """Return with how many rows or clusters an effort is taken."""
    return _LEAST_UNITS[effort]


def carried_effort(effort: Effort, units: int) -> Effort:
    """Return the largest effort, at most this one, that so many rows or clusters carry."""
    carried = [each for each, least in _LEAST_UNITS.items() if least <= units]
    return min(effort, carried[-1], key=list(_LEAST_UNITS).index)


def effort_sizes(effort: Effort) -> dict[str, int]:
    """Return `rounds`, `trials`, `candidates` and `leaders` of an effort."""
    return dict(_SIZES[effort])
