"""What a plain run found out, as data: measured cases, and the verdict on each test.

The terminal, the report files and JUnit draw the same values. Only what JSON can hold travels on
reports from workers: `case_data` and `case_result` are the two directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.measuring.measure import case_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mipro.optimizer.statistics.intervals import Interval, PairedLift
    from pytest_mipro.plugin.collecting.plan import TestPlan
    from pytest_mipro.plugin.config.options import GateOn
    from pytest_mipro.plugin.measuring.measure import Status

Ruling = Literal["passed", "failed", "incomplete", "partial", "each", "skipped"]
RuleName = Literal["threshold", "max_regression", "group"]


@dataclass(frozen=True)
class CaseUsage:
    """What the module calls of a case took; `cost` is in US dollars, None where not known."""

    calls: int = 0
    cached: int = 0
    tokens: int = 0
    cost: float | None = 0.0

    def __add__(self, other: CaseUsage) -> CaseUsage:
        known = self.cost is not None and other.cost is not None
        return CaseUsage(
            self.calls + other.calls,
            self.cached + other.cached,
            self.tokens + other.tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
        )


@dataclass(frozen=True)
class Step:
    """A module call of a case's trace: the module's name and its output (or error), shortened."""

    module: str
    output: str


@dataclass(frozen=True)
class CaseResult:
    """A measured case: id and row in the study, how it ended, what it took.

    `samples` holds the score of each sample, `steps` the module calls of the worst one; `group` is
    the text of the column that the mark names, None where there is none; `split` is the row's own
    column; `digest` is of the row's columns, as in the lock.
    """

    id: str
    row: str
    outcome: Outcome
    usage: CaseUsage = CaseUsage()
    samples: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    group: str | None = None
    split: str | None = None
    digest: str = ""

    @property
    def score(self) -> float | None:
        """The case's score in 0…1, None where it has none."""
        return self.outcome.score

    def status(self, pass_score: float) -> Status:
        """Return how the case counts."""
        return case_status(self.outcome, pass_score)

    def passes(self, pass_score: float) -> int:
        """Return how many of the samples pass."""
        statuses = (case_status(Outcome(score), pass_score) for score in self.samples)
        return sum(status == "passed" for status in statuses)


def case_data(result: CaseResult) -> dict[str, Any]:
    """Return a measured case as JSON values."""
    # By hand: dataclasses.asdict copies deeply, and took most of the gate's time a case.
    return vars(result) | {
        "outcome": vars(result.outcome) | {"metrics": dict(result.outcome.metrics)},
        "usage": dict(vars(result.usage)),
        "steps": [dict(vars(step)) for step in result.steps],
    }


def case_result(data: Mapping[str, Any]) -> CaseResult:
    """Return the measured case that `case_data` made the values from."""
    return CaseResult(
        **{
            **data,
            "outcome": Outcome(**data["outcome"]),
            "usage": CaseUsage(**data["usage"]),
            "samples": tuple(data["samples"]),
            "steps": tuple(Step(**step) for step in data["steps"]),
        }
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
    """A rule that the test was judged by: whether it held, by what measure, in words.

    `value` was compared with `limit`. `doubt` is empty where the cases are enough to tell; else it
    says, in words, what this many cases can and cannot tell.
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

    `lift` is the paired difference now - lock with its intervals, `sure_drop` the one-sided 95 %
    lower bound of the fall lock - now. `improved` and `regressed` are ordered by size, the largest
    change first. `left_out` counts the scored cases that the lock does not know, or knows with
    other columns.
    """

    lift: PairedLift
    sure_drop: float
    improved: tuple[CaseChange, ...]
    regressed: tuple[CaseChange, ...]
    left_out: int


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
class Verdict:
    """What is said of one test.

    `status`: "passed", "failed" and "incomplete" judge the test as a whole; with "partial" (part of
    its cases ran), "each" (no threshold) and "skipped" (no case was scored) nothing is judged.
    `reason` is one line; `rules` are all that applied. `whole` is the mean over all cases,
    `holdout` that over the holdout rows (None: there is no holdout); `judged_on` says which of the
    two the rules judge. `missed` are the cases below the pass score that are not in
    `comparison.regressed`, and `broken` those with an error or a failure; the worst come first.
    `pass_all` is the share of rows of which every sample passes (pass^k), None without repeats;
    `flaky` are cases of which some samples pass. `detectable` is the distance of the mean from a
    threshold that this many cases tell in 70 % of runs, None without scores.
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

    @property
    def judged(self) -> bool:
        """Whether the verdict is a result of the run of its own."""
        return self.status in ("passed", "failed", "incomplete")

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the cases are too few to tell, a line a rule."""
        return tuple(rule.doubt for rule in self.rules if rule.doubt)
