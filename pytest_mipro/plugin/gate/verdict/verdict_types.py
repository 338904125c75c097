"""Define the verdict on a test; the terminal, the report files and JUnit draw the same values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pytest_mipro.optimizer.statistics.intervals import Interval, PairedLift
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.config.options import GateOn
from pytest_mipro.plugin.measuring.measure import Status
from pytest_mipro.plugin.measuring.report_data import CaseResult
from pytest_mipro.runtime.text.number_words import counted

Ruling = Literal["passed", "failed", "incomplete", "partial", "each"]
RuleName = Literal["threshold", "max_regression", "group"]
_UNSEEN = (
    "no case called an LM module: nothing here is recorded, replayed or optimised; calls by "
    "another client or in another process are not seen"
)


@dataclass(frozen=True)
class Mean:
    """The mean over some cases with its two-sided 95 % interval; `mean` is None without scores.

    `cases` counts the scored cases, `rows` the rows that they are made from.
    """

    mean: float | None
    interval: Interval
    cases: int
    rows: int


@dataclass(frozen=True)
class Rule:
    """A rule that the test was judged by: whether it held, and the finding in words.

    `value` was compared with `limit`. `doubt` is empty where there are enough cases to tell; else
    it says what this many cases can and cannot tell.
    """

    name: RuleName
    held: bool
    words: str
    value: float
    limit: float
    doubt: str = ""


@dataclass(frozen=True)
class CaseChange:
    """A case that scored differently from the lock; `gain` is below 0 where it got worse."""

    result: CaseResult
    before: float
    gain: float


@dataclass(frozen=True)
class Comparison:
    """The test against its lock, on the cases that both scored and whose rows are the same.

    `lift` is the paired difference now - lock with its intervals. `improved` and `regressed` are
    ordered by size, the largest change first. `left_out` counts the scored cases that the lock does
    not know, or knows with other columns. `before` holds the lock's scores, by case.
    """

    lift: PairedLift
    improved: tuple[CaseChange, ...]
    regressed: tuple[CaseChange, ...]
    left_out: int
    before: Mapping[str, float]


@dataclass(frozen=True)
class Group:
    """The cases of one value of the group column, the worst group first.

    `p_value` is Holm-adjusted, of "the mean is at or above the threshold"; None where the test has
    no threshold.
    """

    name: str
    mean: Mean
    p_value: float | None
    failed: bool


@dataclass(frozen=True)
class MetricMean:
    """The mean of a further metric of `Score`, over the `cases` that have it."""

    name: str
    mean: float
    cases: int


@dataclass(frozen=True)
class Verdict:
    """The verdict on one test.

    `status`: "passed", "failed" and "incomplete" judge the test as a whole; with "partial" (part of
    its cases ran) and "each" (no threshold) there is no judgement.
    `reason` is one line; `rules` are all that applied. `whole` is the mean over all cases,
    `holdout` that over the holdout rows (None: there is no holdout); `judged_on` says which of the
    two the rules judge. `missed` are the cases below the pass score that are not in
    `comparison.regressed`, and `broken` those with an error or a failure; the worst come first.
    `pass_all` is the share of rows of which every sample passes (pass^k), None without repeats;
    `flaky` are cases of which some samples pass. `detectable` is the distance of the mean from a
    threshold that this many cases tell in 70 % of runs, None without scores. `held_out` are
    the study's holdout rows. `locked` are the lock's scores of the cases whose rows are the same,
    by case, of those that are not judged too. `metrics` are the means of what `Score` names
    besides the score, by name; no rule depends on them.
    """

    plan: TestPlan
    status: Ruling
    reason: str
    whole: Mean
    counts: Mapping[Status, int]
    holdout: Mean | None = None
    judged_on: GateOn = "all"
    rules: tuple[Rule, ...] = ()
    comparison: Comparison | None = None
    groups: tuple[Group, ...] = ()
    missed: tuple[CaseResult, ...] = ()
    broken: tuple[CaseResult, ...] = ()
    flaky: tuple[CaseResult, ...] = ()
    pass_all: float | None = None
    detectable: float | None = None
    results: tuple[CaseResult, ...] = ()
    held_out: frozenset[str] = frozenset()
    locked: Mapping[str, float] = field(default_factory=dict)
    metrics: tuple[MetricMean, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether the run reports the verdict as a result of its own."""
        return self.status in ("passed", "failed", "incomplete")

    @property
    def unseen(self) -> str:
        """That the scored cases called no LM module, and what follows; "" where one did."""
        called = any(result.all_usages or result.given_up for result in self.results)
        if called or not self.whole.cases:
            return "" if self.status == "incomplete" else self.model_unused
        return _UNSEEN

    @property
    def calls_given_up(self) -> str:
        """How many LM calls the pipeline gave up, and what follows; "" where there are none."""
        count = sum(result.given_up for result in self.results)
        if not count:
            return ""
        calls = counted(count, "LM call was", "LM calls were")
        return (
            f"{calls} given up before a reply came, as by a deadline of the pipeline: what such a "
            "case scores depends on the endpoint, and a replay has no reply for it"
        )

    @property
    def fixtures_shared(self) -> str:
        """Which fixtures all samples of a case shared, and what to do; "" where there are none."""
        names = sorted({name for result in self.results for name in result.shared})
        if not names:
            return ""
        return (
            f"all samples of a case share {', '.join(map(repr, names))}, made once for each case: "
            f"make what one changes in the test, or declare rerun_safe={names!r}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the scores worth less than they seem, a text for each reason."""
        return tuple(
            text for text in (self.unseen, self.calls_given_up, self.fixtures_shared) if text
        )

    @property
    def model_unused(self) -> str:
        """That all calls went to other models than the test's, "" where one went to it.

        A client of the pipeline's own names a model without the provider.
        """
        model, asked = self.plan.model, {part.model for r in self.results for part in r.all_usages}
        if not model or not asked or asked & {model, model.partition("/")[2]}:
            return ""
        return (
            f"no call went to {model}: `models=` is for modules that name no model of their own; "
            "take theirs away, or pass on the test's argument `mipro_model`"
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """What there are too few cases to tell, one line for each rule."""
        return tuple(rule.doubt for rule in self.rules if rule.doubt)
