"""Forecast a study's case runs, calls, tokens and cost by stage, expected and at worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mipro.optimizer.budget.cost_model import CALLS_EXTRA, CALLS_FACTOR
from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS, proposal_limit
from pytest_mipro.optimizer.study.amount import Amount, nanodollars, total
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.runtime.calls.context import ModuleCall
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.client.prices import ModelPrice, output_limit
from pytest_mipro.runtime.prompts.prompt import Prompt

# The typical size of a request for an instruction; the real one depends on its examples.
_PROPOSAL = Usage(2_000, 300)
# The share of the demos a prompt may have that the programs of a search have on average.
_DEMO_SHARE = 0.6


@dataclass(frozen=True)
class StageSize:
    """The size of a stage: `rows`, of which `fresh` ones make calls that no earlier stage made.

    It has `parts` reservations; with `repeats` each case runs as often as its test says. `calls`
    are the optimiser's own.
    """

    stage: str
    rows: int
    fresh: int
    parts: int = 1
    repeats: bool = True
    calls: int = 0


@dataclass(frozen=True)
class StageForecast:
    """A stage's case runs, what it is expected to take, and what it takes at worst."""

    stage: str
    case_runs: int
    expected: Amount
    worst: Amount


@dataclass(frozen=True)
class Forecast:
    """What a whole run takes, by stage; `models` holds the expected amount for each model."""

    stages: tuple[StageForecast, ...]
    models: Mapping[str, Amount]

    @property
    def case_runs(self) -> int:
        """How often the program itself is run, at most."""
        return sum(stage.case_runs for stage in self.stages)

    @property
    def expected(self) -> Amount:
        """What the run is expected to take."""
        return total(stage.expected for stage in self.stages)

    @property
    def worst(self) -> Amount:
        """What the run takes at worst, unless a limit ends it."""
        return total(stage.worst for stage in self.stages)


def stage_sizes(
    settings: OptimizerSettings, split: Split, modules: int, *, sampled: bool
) -> tuple[StageSize, ...]:
    """Return the sizes of all stages; `sampled`: the search uses other samples than the gate.

    Calls that trials share count for each of them, so the expectation is an upper estimate.
    """
    validation, deciding = len(split.validation), len(split.holdout or split.validation)
    rows = len({*split.train, *split.validation, *split.holdout})
    batch = settings.batch_of(validation)
    full = settings.rounds * settings.full_a_round
    later = settings.rounds - 1
    attempts = settings.attempts_at(len(split.train))
    training = later * min(settings.training_rows, len(split.train)) + attempts
    parents = settings.parents if settings.has("parents") else 1
    trying = settings.rounds if attempts else 0
    wanted = settings.candidates if settings.has("instructions") else 0
    proposals = settings.rounds * wanted * modules
    grounding = GROUNDING_CALLS if proposals else 0
    known = 0 if sampled else validation
    new = deciding if split.holdout or sampled else 0
    return (
        StageSize("baseline", rows, rows),
        StageSize("bootstrap", training, training, later * parents + trying, repeats=False),
        StageSize("proposals", 0, 0, settings.rounds, calls=grounding + proposals),
        StageSize(
            "search",
            settings.trials * batch + full * validation,
            settings.trials * batch + full * (validation - batch),
            settings.trials + full,
            repeats=False,
        ),
        StageSize("decision", deciding, new),
        StageSize("final pass", rows, rows - known - new),
    )


class Forecaster:
    """Forecasts from the distinct calls of the baseline.

    `calls` are these by row, `runs` the case runs of all rows with and without repeats. `price`
    returns a model's price, None if unknown. Candidates of the `committed` prompts have up to
    `demos` demos, of `demo_tokens` tokens together; each is about as long as the call it comes
    from, without that call's own demos.
    """

    def __init__(
        self,
        calls: Mapping[str, Sequence[ModuleCall]],
        runs: tuple[int, int],
        price: Callable[[str], ModelPrice | None],
        committed: Mapping[Path, Prompt],
        *,
        demos: int = 0,
        demo_tokens: int = 0,
    ) -> None:
        self._rows = max(1, len(calls))
        self._calls = [call for listed in calls.values() for call in listed]
        self._runs = runs
        self._price = price
        self._committed_demos = {path: len(prompt.demos) for path, prompt in committed.items()}
        self._demos = demos
        self._demo_tokens = demo_tokens

    def forecast(self, sizes: Iterable[StageSize], baseline: Amount, proposer: str) -> Forecast:
        """Return the forecast; `baseline` is what that stage took."""
        stages = []
        models: defaultdict[str, Amount] = defaultdict(Amount)
        for size in sizes:
            by_model = self._expected(size, proposer)
            for model, amount in by_model.items():
                models[model] += amount
            expected, worst = total(by_model.values()), self._worst(size, proposer)
            if size.stage == "baseline":
                expected = worst = baseline
            runs_of_all_rows = self._runs[0 if size.repeats else 1]
            case_runs = round(size.rows * runs_of_all_rows / self._rows)
            stages.append(StageForecast(size.stage, case_runs, expected, worst))
        return Forecast(tuple(stages), dict(models))

    def _expected(self, size: StageSize, proposer: str) -> dict[str, Amount]:
        amounts: defaultdict[str, Amount] = defaultdict(Amount)
        for call in self._calls:
            amounts[call.model] += (
                _took(call) if size.stage == "baseline" else self._with_demos(call)
            )
        for model, amount in amounts.items():
            amounts[model] = amount.times(size.fresh / self._rows, round)
        if size.calls:
            amounts[proposer] += self._priced(proposer, _PROPOSAL).times(size.calls)
        return {model: amount for model, amount in amounts.items() if amount.calls}

    def _worst(self, size: StageSize, proposer: str) -> Amount:
        """Return the sum of the stage's reservations, under the committed prompts."""
        if size.calls:
            most = self._priced(proposer, Usage(_PROPOSAL.prompt_tokens, proposal_limit()))
            return most.times(size.calls)
        if not size.fresh:
            return Amount()
        most = total(self._most(call) for call in self._calls)
        calls = max(1, most.calls)
        each = most.times(CALLS_FACTOR * size.fresh / self._rows, round)
        extra = CALLS_EXTRA * size.parts
        return each + replace(most.times(extra / calls, round), calls=extra)

    def _with_demos(self, call: ModuleCall) -> Amount:
        """Return what the call takes under a candidate with an average number of demos."""
        took = _took(call)
        there = self._committed_demos.get(call.signature.prompt_path)
        if there is None:  # a frozen module keeps its prompt
            return took
        length = (took.tokens or 0) / max(1, call.requests)
        alone = length / (1 + there)
        more = max(0.0, min(self._demo_tokens, _DEMO_SHARE * self._demos * alone) - there * alone)
        extra = round(call.requests * more)
        price = self._price(call.model)
        if price is not None:
            return took + Amount(0, extra, nanodollars(price.cost(Usage(extra, 0))))
        scaled = took.times((length + more) / length, round) if length else took
        return Amount(took.calls, (took.tokens or 0) + extra, scaled.nanodollars)

    def _most(self, call: ModuleCall) -> Amount:
        limit = output_limit(call.parameters)
        if limit is None:
            return Amount(call.requests, None, None)
        demos = call.requests * (self._demo_tokens if self._demos else 0)
        usage = Usage(call.usage.prompt_tokens + demos, call.requests * limit)
        return replace(self._priced(call.model, usage), calls=call.requests)

    def _priced(self, model: str, usage: Usage) -> Amount:
        price = self._price(model)
        cost = None if price is None else nanodollars(price.cost(usage))
        return Amount(1, usage.prompt_tokens + usage.completion_tokens, cost)


def _took(call: ModuleCall) -> Amount:
    cost = None if call.cost is None else nanodollars(call.cost)
    return Amount(call.requests, call.usage.prompt_tokens + call.usage.completion_tokens, cost)
