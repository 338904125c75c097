"""What a run gives the optimiser: settings from options, searcher and strategies by hooks."""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable
from dataclasses import fields
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.proposing.strategies import (
    BriefStrategy,
    GroundedStrategy,
    HistoryStrategy,
    ReflectiveStrategy,
)
from pytest_mipro.optimizer.proposing.strategy import (
    InstructionStrategy,
    ProposalContext,
    ProposalRequest,
)
from pytest_mipro.optimizer.search.searcher import Searcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.search.tpe import TPESearcher
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.settings import DEFAULT, Effort, OptimizerSettings, effort_sizes
from pytest_mipro.plugin.config.options import Options, options_of
from pytest_mipro.plugin.optimise.inputs.study_effort import effort_of
from pytest_mipro.runtime.client.contract import Message

_STRATEGIES = "pytest_mipro_proposal_strategies"

OVERRIDES = pytest.StashKey["dict[str, Any]"]()
"""Fields of `OptimizerSettings` that a conftest sets in the run's stash, to measure their worth."""


class BuiltIns:
    """The built-in searcher and strategies, registered through the same hooks as everybody's."""

    @pytest.hookimpl(trylast=True)
    def pytest_mipro_searcher(
        self, config: pytest.Config, study: Study
    ) -> Callable[[Space, int], Searcher]:
        """Return TPE, sized by the run's trials."""
        trials = settings_of(config, study).trials
        return lambda space, seed: TPESearcher(space, seed, startup=startup_trials(trials))

    @pytest.hookimpl(trylast=True)
    def pytest_mipro_proposal_strategies(self) -> list[InstructionStrategy]:
        """Return all strategies of the optimiser; the first begins."""
        return [GroundedStrategy(), ReflectiveStrategy(), HistoryStrategy(), BriefStrategy()]


def startup_trials(trials: int) -> int:
    """Return how many trials TPE draws at random: a third, so that it guides most of the budget."""
    return max(1, min(10, trials // 3))


def settings_of(config: pytest.Config, study: Study) -> OptimizerSettings:
    """Return the settings of a study, with the sizes of the effort that its rows carry."""
    options = options_of(config)
    overrides = config.stash.get(OVERRIDES, {})
    return optimizer_settings(options, effort_of(options, study).taken, **overrides)


def run_settings(config: pytest.Config) -> OptimizerSettings:
    """Return what the settings of all studies share: limits, models and sampling, not the sizes."""
    options = options_of(config)
    return optimizer_settings(options, options.effort, **config.stash.get(OVERRIDES, {}))


def optimizer_settings(options: Options, effort: Effort, **overrides: Any) -> OptimizerSettings:
    """Return the optimiser's settings: the effort's sizes, what options replace, the overrides."""
    given = {item.name: getattr(options, item.name, None) for item in fields(OptimizerSettings)}
    given |= {
        "max_seconds": options.max_time,
        "proposer_models": options.proposer_model,
        "more_for_pipelines": options.trials is None,
        **overrides,
    }
    values = {name: value for name, value in given.items() if value is not None}
    left_out = {"instructions": "demos", "demos": "instructions"}.get(options.only or "")
    values["parts"] = values.get("parts", DEFAULT) - {left_out}
    return OptimizerSettings(**(effort_sizes(effort) | values)).in_rounds()


def searcher_of(config: pytest.Config, study: Study) -> Callable[[Space, int], Searcher]:
    """Return what makes the study's searcher, that of the hook; its asks are checked.

    Raises ConfigurationError, as what it returns does, for what makes none.
    """
    given = config.hook.pytest_mipro_searcher(config=config, study=study)
    if not callable(given):
        raise ConfigurationError(
            f"pytest_mipro_searcher returned a {type(given).__name__}; return the class of a "
            "searcher, or a function of space and seed that makes one"
        )

    def made(space: Space, seed: int) -> Searcher:
        inner = given(space, seed)
        for method in ("ask", "tell"):
            if not callable(getattr(inner, method, None)):
                raise ConfigurationError(
                    f"the searcher {type(inner).__name__} of pytest_mipro_searcher has no method "
                    f"`{method}`; write it"
                )
        return _CheckedSearcher(inner, space)

    return made


class _CheckedSearcher:
    """A searcher whose assignments are checked where they are made, not deep in the search."""

    def __init__(self, inner: Searcher, space: Space) -> None:
        self._inner = inner
        self._space = space

    def ask(self) -> Assignment | None:
        assignment = self._inner.ask()
        if assignment is not None and assignment not in self._space:
            raise ConfigurationError(
                f"the searcher {type(self._inner).__name__} of pytest_mipro_searcher asked for "
                f"{assignment!r}; a tuple of one index a dimension is wanted, below "
                f"{self._space.sizes}"
            )
        return assignment

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        self._inner.tell(assignment, score, weight)


def strategies_of(config: pytest.Config) -> list[InstructionStrategy]:
    """Return the strategies that built-ins and other plugins give, the built-in ones first.

    Their requests are checked. Raises ConfigurationError for one without a name of its own or
    anything to do.
    """
    given = config.hook.pytest_mipro_proposal_strategies(config=config)
    for strategies in given:
        if not isinstance(strategies, Iterable):
            kind = type(strategies).__name__
            raise ConfigurationError(
                f"{_STRATEGIES}: a {kind} is no list of strategies; return one"
            )
    found = [strategy for strategies in reversed(given) for strategy in strategies]
    names: set[str] = set()
    for strategy in found:
        _check_strategy(strategy, names)
        names.add(strategy.name)
    return [_CheckedStrategy(strategy) for strategy in found]


class _CheckedStrategy:
    """A strategy whose requests are checked where they are made."""

    def __init__(self, inner: InstructionStrategy) -> None:
        self.name = inner.name
        self._inner = inner

    def request(self, context: ProposalContext, rng: random.Random) -> ProposalRequest | None:
        made = self._inner.request(context, rng)
        if made is None:
            return None
        given = made.messages if isinstance(made, ProposalRequest) else ()
        messages = tuple(given) if isinstance(given, Iterable) else ()
        if not messages or not all(isinstance(message, Message) for message in messages):
            kind = type(made).__name__
            raise ConfigurationError(
                f"{_STRATEGIES}: the strategy {self.name!r} made a {kind} that can't be asked; a "
                "ProposalRequest of at least one Message is wanted, or None"
            )
        # Not by `replace`, which a class of the user's own may not take.
        return ProposalRequest(messages, made.cut, made.dropped)


def _check_strategy(strategy: Any, names: Container[str]) -> None:
    name = getattr(strategy, "name", None)
    if not isinstance(name, str) or not name:
        kind = type(strategy).__name__
        problem = f"the strategy {kind} has no name; set its `name` to a unique text"
    elif name in names:
        problem = f"there are two strategies named {name!r}; give one another name"
    elif not isinstance(strategy, InstructionStrategy):
        problem = f"the strategy {name!r} has no method `request`; write it"
    else:
        return
    raise ConfigurationError(f"{_STRATEGIES}: {problem}")
