"""Where a study stands: folded from its events, so that it can be shown at any moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch

from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    Event,
    LeaderKnown,
    LeadTaken,
    Measured,
    Plan,
    StageProgress,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.run.forecast import Forecast
from pytest_mipro.optimizer.statistics.intervals import PairedLift
from pytest_mipro.optimizer.study.amount import Limits
from pytest_mipro.runtime.text.number_words import counted

_NO_LIMITS = Limits()
_BEFORE_SEARCH = frozenset({"baseline"})
_AFTER_SEARCH = frozenset({"decision", "final pass"})
FOLLOWING = "shared"
"""The stage of a process that another one leads: only the leader knows the study's own."""


@dataclass(frozen=True)
class Standing:
    """Where one study stands: `done` of `total` steps of its `stage`, or of what runs beside it.

    The search has had `tried` trials, which took `taken` of the `trials` planned: one that changes
    a late module alone takes less than one. `before` are the scores of the committed prompts,
    `best` (0…1) the estimate of the program believed best and `lift` what it gains on the rows that
    it was measured on; None before a trial. `forecast`, `limits` and `max_seconds` are those of the
    plan. Leaders on all rows take about `for_leaders` of the search's calls, of which `led` (0…1)
    are made.
    """

    study: str
    stage: str = "baseline"
    done: float = 0
    total: int = 0
    round: int = 0
    rounds: int = 1
    trials: int = 0
    tried: int = 0
    taken: float = 0.0
    before: Measured | None = None
    best: float | None = None
    lift: PairedLift | None = None
    forecast: Forecast | None = None
    limits: Limits = _NO_LIMITS
    max_seconds: float | None = None
    for_leaders: float = 0.0
    led: float = 0.0

    def after(self, event: Event) -> Standing:
        """Return where the study stands after an event."""
        return _after(event, self)

    @property
    def steps(self) -> str:
        """What the stage has done, in words."""
        if not self.total:
            return ""
        if self.stage == "search":
            rounds = f", round {self.round} of {self.rounds}" if self.round else ""
            share = self.done / self.total
            return f"{counted(self.tried, 'trial')}, {100 * share:.0f} % of the search{rounds}"
        if self.stage == "proposals":
            requests = counted(self.total, "request")
            return f"{self.done:.0f} of {requests}, for round {self.round + 1}"
        return f"{self.done:,.0f} of {counted(self.total, 'case run')}"

    @property
    def share(self) -> float | None:
        """The share of the expected calls (0…1) that is behind the study, None before its plan."""
        calls = {s.stage: s.expected.calls for s in self.forecast.stages} if self.forecast else {}
        whole = sum(calls.values())
        if not whole:
            return None
        stage = self.done / self.total if self.total else 0.0
        if self.stage in _AFTER_SEARCH:
            ended = list(calls)[: list(calls).index(self.stage)] if self.stage in calls else calls
            behind = stage * calls.get(self.stage, 0)
        else:
            ended = [*_BEFORE_SEARCH]
            leaders = calls.get("search", 0) * self.for_leaders
            middle = whole - sum(calls.get(name, 0) for name in _BEFORE_SEARCH | _AFTER_SEARCH)
            tried = min(1.0, self.taken / self.trials) if self.trials else 0.0
            behind = tried * (middle - leaders) + self.led * leaders
        return (sum(calls.get(name, 0) for name in ended) + behind) / whole


@singledispatch
def _after(event: object, standing: Standing) -> Standing:  # noqa: ARG001 - those of no interest
    return standing


@_after.register
def _(event: StageStarted, standing: Standing) -> Standing:
    trials = event.total if event.stage == "search" else standing.trials
    return replace(standing, stage=event.stage, done=0, total=event.total, trials=trials)


@_after.register
def _(event: StageProgress, standing: Standing) -> Standing:
    if event.stage == "leaders":
        led = max(standing.led, event.done / event.total)
        standing = replace(standing, led=led, taken=standing.trials)
    return replace(standing, stage=event.stage, done=event.done, total=event.total)


@_after.register
def _(event: BaselineMeasured, standing: Standing) -> Standing:
    return replace(standing, before=event.measured)


@_after.register
def _(event: Plan, standing: Standing) -> Standing:
    all_rows, trials = len(event.split.validation), event.trials * event.minibatch
    return replace(
        standing,
        for_leaders=all_rows / (all_rows + trials) if trials else 1.0,
        rounds=event.rounds,
        forecast=event.forecast,
        limits=event.limits,
        max_seconds=event.max_seconds,
    )


@_after.register
def _(event: CandidatesReady, standing: Standing) -> Standing:
    # A round ends when less than a whole trial is left to it.
    behind = standing.trials * (event.round - 1) / standing.rounds
    return _searching(replace(standing, round=event.round, taken=max(standing.taken, behind)))


@_after.register
def _(event: TrialFinished, standing: Standing) -> Standing:
    taken = standing.taken + event.share
    return _searching(replace(standing, tried=standing.tried + 1, taken=taken))


@_after.register
def _(event: LeadTaken, standing: Standing) -> Standing:
    return standing if event.mine else replace(standing, stage=FOLLOWING, done=0, total=0)


@_after.register
def _(event: LeaderKnown, standing: Standing) -> Standing:
    return replace(standing, best=event.best, lift=event.lift)


def _searching(standing: Standing) -> Standing:
    done = min(standing.taken, standing.trials)
    return replace(standing, stage="search", done=done, total=standing.trials)
