"""Forecast a study's case runs, calls, tokens, cost and time by stage."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_mipro.optimizer.budget.cost_model import Expectation, Sizes
from pytest_mipro.optimizer.budget.limits import shortage
from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS
from pytest_mipro.optimizer.study.amount import Amount, Limits, total
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import Split
from pytest_mipro.runtime.calls.context import ModuleCall

# The share of the demos a prompt may have that the programs of a search have on average.
_DEMO_SHARE = 0.8
# The tokens by which their instructions are longer than committed ones, by experience.
LONGER_INSTRUCTION = 120


@dataclass(frozen=True)
class StageSize:
    """The size of a stage: `rows`, of which `fresh` ones make calls that no earlier stage made.

    With `repeats` each case runs as often as its test says. `calls` are the optimiser's own.
    """

    stage: str
    rows: int
    fresh: int
    repeats: bool = True
    calls: int = 0


@dataclass(frozen=True)
class StageForecast:
    """A stage's case runs, and what it is expected to take."""

    stage: str
    case_runs: int
    expected: Amount


@dataclass(frozen=True)
class Forecast:
    """What a whole run is expected to take, by stage and by model.

    `seconds` is the time if no reply is cached, None where no latency is known.
    """

    stages: tuple[StageForecast, ...]
    models: Mapping[str, Amount]
    seconds: float | None = None

    @property
    def case_runs(self) -> int:
        """How often the program itself is run, at most."""
        return sum(stage.case_runs for stage in self.stages)

    @property
    def expected(self) -> Amount:
        """What the run is expected to take."""
        return total(stage.expected for stage in self.stages)

    def ending(self, limits: Limits, trials: int) -> tuple[int, str] | None:
        """Return how many trials the limits hold, and the limit that is enough; None: all of them.

        Decision and final pass count first, and with what is held back for them.
        """
        stages = {stage.stage: stage.expected for stage in self.stages}
        late = (stages.get("decision", Amount()) + stages.get("final pass", Amount())).times(1.25)
        fixed = stages.get("baseline", Amount()) + late
        search = total(amount for stage, amount in stages.items() if stage in _SEARCH)
        short = shortage(limits, fixed, search)
        if short is None:
            return None
        share = max(0.0, (short.limit.value - short.taken) / max(1, short.needed))
        return int(share * trials), f"{short.limit.words(short.taken + short.needed)}"


_SEARCH = ("bootstrap", "proposals", "search")


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
    wanted = settings.candidates if settings.has("instructions") else 0
    proposals = settings.rounds * wanted * modules
    grounding = GROUNDING_CALLS if proposals else 0
    known = 0 if sampled else validation
    new = deciding if split.holdout or sampled else 0
    return (
        StageSize("baseline", rows, rows),
        StageSize("bootstrap", training, training, repeats=False),
        StageSize("proposals", 0, 0, calls=grounding + proposals),
        StageSize(
            "search",
            settings.trials * batch + full * validation,
            settings.trials * batch + full * (validation - batch),
            repeats=False,
        ),
        StageSize("decision", deciding, new),
        StageSize("final pass", rows, rows - known - new),
    )


@dataclass(frozen=True)
class Pass:
    """One pass of all rows under programs of one kind: `case_runs`, and what it takes by model."""

    case_runs: int
    models: Mapping[str, Amount]


@dataclass(frozen=True)
class Typical:
    """What a forecast rests on: passes of candidates with all repeats, and with one run a case.

    `proposal` is what one request to the `proposer` takes; `latency` is the mean of a call in
    seconds, 0 if unknown.
    """

    rows: int
    repeated: Pass
    once: Pass
    proposer: str
    proposal: Amount
    latency: float = 0.0


def forecast(
    typical: Typical,
    sizes: Iterable[StageSize],
    baseline: Mapping[str, Amount],
    concurrency: int,
) -> Forecast:
    """Return the forecast of stages; `baseline` is what that stage took, by model."""
    stages = []
    models: defaultdict[str, Amount] = defaultdict(Amount)
    for size in sizes:
        whole = typical.repeated if size.repeats else typical.once
        share = size.fresh / typical.rows
        by_model = {m: amount.times(share, round) for m, amount in whole.models.items()}
        if size.calls:
            by_model = {typical.proposer: typical.proposal.times(size.calls)}
        if size.stage == "baseline":
            by_model = dict(baseline)
        expected = total(by_model.values())
        for model, amount in by_model.items():
            if amount.calls:
                models[model] = models[model] + amount
        case_runs = round(size.rows * whole.case_runs / typical.rows)
        stages.append(StageForecast(size.stage, case_runs, expected))
    calls = sum(stage.expected.calls for stage in stages)
    seconds = calls * typical.latency / concurrency if typical.latency else None
    return Forecast(tuple(stages), dict(models), seconds)


def usual_growth(
    expectation: Expectation, settings: OptimizerSettings, sizes: Sizes
) -> dict[Path, int]:
    """Return the tokens that an average candidate's demos add to each module's committed prompt."""
    calls: defaultdict[Path, list[ModuleCall]] = defaultdict(list)
    for made in expectation.calls.values():
        for call in made:
            calls[call.signature.prompt_path].append(call)
    growth = {}
    for path, prompt in expectation.committed.items():
        mine = calls.get(path, [])
        lengths = [sizes.tokens(call.model, demo_text(call)) for call in mine]
        mean = sum(lengths) / max(1, len(lengths))
        most = usual_demos(settings, mean)
        more = max(0.0, most - len(prompt.demos) * mean) if settings.has("demos") else 0.0
        longer = LONGER_INSTRUCTION if settings.has("instructions") else 0
        growth[path] = round(more) + longer
    return growth


def usual_demos(settings: OptimizerSettings, tokens: float) -> float:
    """Return the tokens of a usual candidate's demos, if each one has so many."""
    return min(settings.max_demo_tokens, _DEMO_SHARE * settings.max_demos * tokens)


def demo_text(call: ModuleCall) -> str:
    """Return about what a demo made of the call adds to a prompt."""
    return json.dumps([dict(call.inputs), call.output, call.reasoning], ensure_ascii=False)
