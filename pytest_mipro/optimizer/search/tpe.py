"""TPE search over instructions and demo sets, on optuna."""

from __future__ import annotations

import logging
import math
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState, create_trial

from pytest_mipro.optimizer.search.searcher import Visits, check_estimate
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.search.surrogate import Surrogate

# How many assignments TPE proposes to choose from. Each costs a few milliseconds.
_PROPOSED = 4
# How far the prior may move before all values are shrunk towards it afresh.
_PRIOR_DRIFT = 0.01


class TPESearcher:
    """A `Searcher` with one multivariate tree-structured Parzen estimator over all dimensions.

    Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; multivariate as in
    Falkner et al. 2018 (BOHB), so that interactions between modules are modelled.

    TPE rarely tries a choice that it has no score of, and knows nothing of how sure a score is. So
    its proposals stand beside the neighbours of the best assignment, which change one choice, and
    those with new choices of one module, of one kind, and throughout. Asked is the one with the
    greatest expected improvement by the additive `Surrogate` for the root of its calls: calls of
    modules before the first that changed are cached, so a change of a late module costs less.

    TPE takes no weights, so each mean of n rows is shrunk towards the weighted mean of all:
    prior + (score - prior) · n / (n + `prior_rows`). A lucky minibatch then ranks below a full
    evaluation that is nearly as high. TPE guides after `startup` scores: keep it well below the
    budget.
    """

    def __init__(self, space: Space, seed: int, startup: int = 6, prior_rows: float = 20.0) -> None:
        self._visits = Visits(space)
        self._space = space
        self._startup = startup
        self._prior_rows = prior_rows
        self._groups = _groups(space)
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        # TPE learns nothing from a dimension with one choice.
        self._distributions: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(tuple(range(size)))
            for name, size in zip(space.names, space.sizes, strict=True)
            if size > 1
        }
        with _quiet():
            self._sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True
            )
        self._estimates: dict[Assignment, tuple[float, float]] = {}  # score and weight
        self._pending: dict[Assignment, int] = {}
        self._prior = 0.0
        self._stale = False
        self._study = self._new_study()

    def ask(self) -> Assignment | None:
        """Return the most promising assignment; None: the space is exhausted."""
        if self._visits.exhausted:
            return None
        if self._stale or abs(self._mean() - self._prior) > _PRIOR_DRIFT:
            self._rebuild()
        assignment = self._chosen()
        return None if assignment is None else self._add_pending(assignment)

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        """Take the estimate into the surrogate; a second one of an assignment replaces it."""
        check_estimate(score, weight)
        self._visits.mark(assignment)
        told_before = assignment in self._estimates
        self._estimates[assignment] = score, weight
        if len(self._estimates) == 1:
            self._prior = score
        number = self._pending.pop(assignment, None)
        if told_before:
            self._stale = True
        elif number is not None:
            self._study.tell(number, self._shrunken(assignment))
        else:
            self._study.add_trial(self._trial(assignment))

    def _chosen(self) -> Assignment | None:
        """Return the unseen assignment that is expected to improve most on the best."""
        surrogate = Surrogate(self._space, self._estimates, self._pending)
        seen = list(self._estimates) or [(0,) * len(self._space.sizes)]
        means = surrogate.means(seen)
        best = max(means)
        leader = seen[means.index(best)]
        joint = self._proposed() if len(self._estimates) > self._startup else []
        options = [*self._renewed(leader), *self._visits.unseen_neighbours(leader), *joint]
        if not options:
            return self._visits.random_unseen(self._rng)
        self._rng.shuffle(options)  # of equals the seed chooses
        measured = [item for item in (leader, (0,) * len(leader)) if item in self._estimates]
        gains = [
            belief.improvement(best) / math.sqrt(self._space.new_share(option, measured).expected)
            for option, belief in zip(options, surrogate.beliefs(options), strict=True)
        ]
        return options[gains.index(max(gains))]

    def _renewed(self, leader: Assignment) -> list[Assignment]:
        """Return the leader with untried choices: in all dimensions, those of a kind, of a module.

        Untried are choices in no assignment seen.
        """
        tried = [set(choices) for choices in zip(leader, *self._visits, strict=True)]
        untried = [
            next((choice for choice in range(size) if choice not in known), before)
            for size, known, before in zip(self._space.sizes, tried, leader, strict=True)
        ]
        made = []
        for group in self._groups:
            places = zip(group, untried, leader, strict=True)
            new = tuple(choice if within else before for within, choice, before in places)
            if new not in self._visits:
                made.append(new)
        return made

    def _proposed(self) -> list[Assignment]:
        """Return unseen assignments that TPE proposes."""
        found = []
        for _ in range(_PROPOSED):
            trial = self._study.ask(self._distributions)
            assignment = tuple(trial.params.get(name, 0) for name in self._space.names)
            self._study.tell(trial.number, state=TrialState.FAIL)
            if assignment not in self._visits:
                found.append(assignment)
        return found

    def _add_pending(self, assignment: Assignment) -> Assignment:
        """Add an assignment that TPE did not propose as one of its running trials."""
        self._visits.mark(assignment)
        self._pending[assignment] = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(self._trial(assignment, running=True))
        return assignment

    def _rebuild(self) -> None:
        """Start a new study: optuna can't change a value. The sampler's state stays."""
        self._prior = self._mean()
        self._study = self._new_study()
        self._study.add_trials([self._trial(item) for item in self._estimates])
        first = len(self._estimates)
        self._study.add_trials([self._trial(item, running=True) for item in self._pending])
        self._pending = {item: first + index for index, item in enumerate(self._pending)}
        self._stale = False

    def _mean(self) -> float:
        """Return the mean of all estimates, weighted by their rows."""
        total = sum(weight for _, weight in self._estimates.values())
        weighted = sum(weight * score for score, weight in self._estimates.values())
        return weighted / total if total else 0.0

    def _shrunken(self, assignment: Assignment) -> float:
        score, weight = self._estimates[assignment]
        return self._prior + (score - self._prior) * (weight / (weight + self._prior_rows))

    def _trial(self, assignment: Assignment, *, running: bool = False) -> optuna.trial.FrozenTrial:
        named = dict(zip(self._space.names, assignment, strict=True))
        return create_trial(
            params={name: named[name] for name in self._distributions},
            distributions=self._distributions,
            state=TrialState.RUNNING if running else TrialState.COMPLETE,
            value=None if running else self._shrunken(assignment),
        )

    def _new_study(self) -> optuna.Study:
        with _quiet():
            return optuna.create_study(direction="maximize", sampler=self._sampler)


def _groups(space: Space) -> list[list[bool]]:
    """Return which dimensions change together: all, each kind's, and each module's of several."""
    modules = dict.fromkeys(space.modules)
    return [
        [True] * len(space.names),
        *([kind == each for each in space.kinds] for kind in dict.fromkeys(space.kinds)),
        *([one == each for each in space.modules] for one in modules if len(modules) > 1),
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence optuna's "new study" line and experimental warnings here, and nowhere else."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
