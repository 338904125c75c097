"""Forecast a study's case runs, calls, tokens, cost and time by stage."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from pytest_mipro.optimizer.budget.limits import shortage
from pytest_mipro.optimizer.budget.prompt_parts import PromptParts
from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS, PROPOSAL_TOKENS
from pytest_mipro.optimizer.run.stage_sizes import StageSize
from pytest_mipro.optimizer.study.amount import NOTHING, Amount, Limits, total
from pytest_mipro.optimizer.study.settings import FIRST_DEMOS, OptimizerSettings

DECISION_FACTOR, TIME_FACTOR = 1.25, 1.5
"""The decision gets so many times what it is expected to take, in money and in time."""
Demos = Literal["none", "first", "most"]
"""The demos that candidates show: none but the committed ones, the first sets, or the largest."""


@dataclass(frozen=True)
class StageForecast:
    """A stage's case runs at most, and what it is expected to take."""

    stage: str
    case_runs: int
    expected: Amount


@dataclass(frozen=True)
class Forecast:
    """What a whole run is expected to take, by stage and by model.

    `seconds` is the time if no reply is cached, None where no latency is known. `least` and `most`
    are what is expected where no candidate shows more demos than the committed prompts, and where
    each shows the largest sets that the search may try. `leader` is the search's share of a full
    evaluation, which each trial must leave room for.
    """

    stages: tuple[StageForecast, ...]
    models: Mapping[str, Amount]
    seconds: float | None = None
    least: Amount = NOTHING
    most: Amount = NOTHING
    leader: Amount = NOTHING

    @property
    def case_runs(self) -> int:
        """How often the program itself is run, at most."""
        return sum(stage.case_runs for stage in self.stages)

    @property
    def expected(self) -> Amount:
        """What the run is expected to take."""
        return total(stage.expected for stage in self.stages)

    def ending(self, limits: Limits, trials: int) -> tuple[int, str] | None:
        """Return at which trial the limits end the search, and what is enough; None: they do not.

        0: they hold no search at all.
        """
        kept, before = self.fixed + self.leader, self.search - self.leader
        none = shortage(limits, NOTHING, self.fixed)
        short = none or shortage(limits, kept, before)
        if short is None:
            return None
        whole = getattr(self.fixed + self.search, short.limit.currency) or short.needed
        enough = short.limit.words(whole)
        if none is not None:
            return 0, enough
        share = max(0.0, short.limit.value - short.taken) / max(1, short.needed)
        return int(share * trials) + 1, enough

    def ending_by_time(self, seconds: float, trials: int) -> tuple[int, float] | None:
        """Return at which trial a time ends the search, and how many seconds are enough.

        None: it does not, or that is not known. 0: before the first trial. The time is shared out
        by calls.
        """
        if self.seconds is None or not self.expected.calls:
            return None
        a_call = self.seconds / self.expected.calls
        kept = (self._baseline + (self._late + self.leader).times(TIME_FACTOR)).calls * a_call
        before = (self.search - self.leader).calls * a_call
        if kept + before <= seconds:
            return None
        left = max(0.0, seconds - kept)
        return (int(left / before * trials) + 1 if left else 0), kept + before

    @property
    def fixed(self) -> Amount:
        """What baseline, decision and final pass take, with what is held back for the latter."""
        return self._baseline + self._late.times(DECISION_FACTOR)

    @property
    def _baseline(self) -> Amount:
        return self._of("baseline")

    @property
    def _late(self) -> Amount:
        return self._of("decision", "final pass")

    def _of(self, *stages: str) -> Amount:
        return total(stage.expected for stage in self.stages if stage.stage in stages)

    @property
    def search(self) -> Amount:
        """What rounds and trials take."""
        return self._of(*_SEARCH)


_SEARCH = ("bootstrap", "proposals", "search")


@dataclass(frozen=True)
class Pass:
    """One pass of all rows under programs of one kind: `case_runs`, and what it takes by model."""

    case_runs: int
    models: Mapping[str, Amount]


@dataclass(frozen=True)
class Typical:
    """What a forecast rests on: passes of candidates with all repeats, and with one run a case.

    `proposals` are the models that write instructions in turn, each with what a request for one
    takes, `grounding` what all requests for summaries to the first of them take. `taught` is what
    a pass of all rows takes, one run a case, in which the teacher answers. `latency` is the mean of
    a call in seconds, 0 if unknown, `own` the seconds that a case run takes beside its calls.
    """

    rows: int
    repeated: Pass
    once: Pass
    proposals: Sequence[tuple[str, Amount]]
    grounding: Amount = NOTHING
    taught: Mapping[str, Amount] = field(default_factory=dict)
    latency: float = 0.0
    own: float = 0.0


def forecast(
    typical: Typical,
    sizes: Iterable[StageSize],
    baseline: Mapping[str, Amount],
    concurrency: int,
) -> Forecast:
    """Return the forecast of stages; `baseline` is what that stage took, by model."""
    stages, seconds, leader = [], 0.0, NOTHING
    models: defaultdict[str, Amount] = defaultdict(Amount)
    for size in sizes:
        by_model = _asked(typical, size) if size.stage != "baseline" else baseline
        for model, amount in by_model.items():
            if amount.calls:
                models[model] = models[model] + amount
        runs = size.once * typical.once.case_runs + size.repeated * typical.repeated.case_runs
        expected = total(by_model.values())
        more = size.more * (typical.once if size.once else typical.repeated).case_runs
        stages.append(StageForecast(size.stage, round((runs + more) / typical.rows), expected))
        seconds += runs / typical.rows * typical.own
        if size.stage == "search":
            full = StageSize(size.stage, fresh_repeated=size.leader)
            leader += total(_asked(typical, full).values())
    waited = sum(stage.expected.calls for stage in stages) * typical.latency / concurrency
    time = waited + seconds if waited else None
    return Forecast(tuple(stages), dict(models), time, leader=leader)


def _asked(typical: Typical, size: StageSize) -> dict[str, Amount]:
    """Return what a stage asks anew, by model."""
    asked: defaultdict[str, Amount] = defaultdict(Amount)
    if size.calls:
        whole, more = divmod(max(0, size.calls - GROUNDING_CALLS), len(typical.proposals))
        for turn, (model, proposal) in enumerate(typical.proposals):
            first = typical.grounding if turn == 0 else NOTHING
            asked[model] += first + proposal.times(whole + (turn < more))
        return asked
    for fresh, models in (
        (size.fresh_once - size.taught, typical.once.models),
        (size.taught, typical.taught),
        (size.fresh_repeated, typical.repeated.models),
    ):
        for model, amount in models.items():
            asked[model] += amount.times(fresh / typical.rows, round)
    return asked


def usual_length(instruction: float) -> float:
    """Return the tokens of a usual proposal for a module whose instruction has so many.

    It is between the current length and the proposer's limit. Of such bounds the geometric mean is
    wrong by the least factor at worst.
    """
    shortest = min(max(1.0, instruction), PROPOSAL_TOKENS)
    return math.sqrt(shortest * PROPOSAL_TOKENS)


def forecast_range(made: Callable[[Demos], Forecast]) -> Forecast:
    """Return the forecast with the first demo sets, and what is expected with none and the most."""
    none, first, most = (made(demos) for demos in get_args(Demos))
    return replace(first, least=none.expected, most=most.expected)


def demo_tokens(
    settings: OptimizerSettings, rows: int, tokens: float, modules: int, demos: Demos
) -> float:
    """Return the tokens of a demo set drawn from so many rows, if each demo has so many.

    The first set that a program is shown is shared out among its modules, and each further round
    may double it.
    """
    if demos == "none" or not settings.has("demos"):
        return 0.0
    number = FIRST_DEMOS / max(1, modules) * (2 ** (settings.rounds - 1) if demos == "most" else 1)
    most = rows if settings.max_demos is None else min(settings.max_demos, rows)
    return min(settings.max_demo_tokens, min(most, number) * tokens)


def growth(settings: OptimizerSettings, parts: PromptParts, calls: int, shown: float) -> int:
    """Return the tokens by which a usual candidate's prompt is longer than the committed one.

    `parts` is summed over so many `calls`; the demos `shown` have so many tokens.
    """
    made = max(1, calls)
    instruction, more = parts.instruction / made, max(0.0, shown - parts.demos / made)
    longer = usual_length(instruction) - instruction if settings.has("instructions") else 0.0
    return round(more + max(0.0, longer))
