"""What the optimiser tells while it works: frozen events, drawn by terminal and report alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mipro.optimizer.proposing.learning import Lesson
    from pytest_mipro.optimizer.proposing.proposed import Proposed
    from pytest_mipro.optimizer.run.forecast import Forecast
    from pytest_mipro.optimizer.search.searcher import Assignment
    from pytest_mipro.optimizer.statistics.decide import Decision
    from pytest_mipro.optimizer.statistics.intervals import Interval
    from pytest_mipro.optimizer.study.amount import Limits
    from pytest_mipro.optimizer.study.runs import CaseCost
    from pytest_mipro.optimizer.study.split import Split

Stage = Literal["baseline", "proposals", "search", "decision", "final pass"]
TrialKind = Literal["minibatch", "full"]


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; `total` counts its steps (case runs, proposer calls or trials)."""

    study: str
    stage: Stage
    total: int


@dataclass(frozen=True)
class StageProgress:
    """`done` of `total` steps of a stage are finished."""

    study: str
    stage: Stage
    done: int
    total: int


@dataclass(frozen=True)
class Measured:
    """Scores of one program: the objective with its 95 % interval, and the mean of each test."""

    objective: float
    interval: Interval
    tests: Mapping[str, float]
    cases: int
    rows: int


@dataclass(frozen=True)
class BaselineMeasured:
    """The committed prompts were measured on all cases; `removed` were skipped by their tests."""

    study: str
    measured: Measured
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The exact plan, known after the baseline.

    `forecast` tells what the whole run takes, cached replies and the baseline included, `limits`
    what it may take, and `max_seconds` for how long; `detectable` is the lift that the deciding
    rows show in 70 % of runs; `one_at_a_time` names tests whose cases can't run concurrently.
    """

    study: str
    modules: tuple[str, ...]
    frozen: tuple[str, ...]
    split: Split
    rounds: int
    trials: int
    candidates: int
    minibatch: int
    forecast: Forecast
    limits: Limits
    max_seconds: float | None
    detectable: float
    one_at_a_time: tuple[str, ...]


@dataclass(frozen=True)
class CandidatesReady:
    """How many instructions and demo sets each module has in a round, the current ones included.

    `pool` counts the rows that lend demos to a module.
    """

    study: str
    round: int
    instructions: Mapping[str, int]
    demo_sets: Mapping[str, int]
    pool: Mapping[str, int]


@dataclass(frozen=True)
class TrialFinished:
    """One trial: its kind, assignment (one index a dimension), estimate in 0…1 and rows.

    `best` is the best estimate so far; `dropped` is set where the trial used more calls than were
    reserved for it and has no score; `stopped` where it ended after its first rows as hopeless.
    """

    study: str
    number: int
    round: int
    kind: TrialKind
    assignment: Assignment
    estimate: float | None
    rows: int
    best: float
    calls: int
    dropped: str = ""
    stopped: bool = False


@dataclass(frozen=True)
class ProposalsMade:
    """A round's instructions were proposed: what the proposer models saw and said."""

    study: str
    round: int
    proposals: tuple[Proposed, ...]


@dataclass(frozen=True)
class LessonsLearnt:
    """What the proposals earned that were tried in a round, also where nothing is made of it."""

    study: str
    round: int
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True)
class FinalistChosen:
    """The finalist is one of `equals` programs that the data can't tell apart, and the cheapest.

    `price` is the mean price of a case under it, `best_price` under the program with the highest
    estimate; `is_best` tells whether these are one.
    """

    study: str
    equals: int
    price: CaseCost
    best_price: CaseCost
    is_best: bool


@dataclass(frozen=True)
class Decided:
    """What holdout (or validation) said of the finalist; None: no candidate beat the baseline."""

    study: str
    decision: Decision | None
    reason: str


@dataclass(frozen=True)
class LeadTaken:
    """Of the processes that share the study, `leader` proposes and decides; `mine`: this one."""

    study: str
    leader: str
    mine: bool


@dataclass(frozen=True)
class ProcessLost:
    """A process that shared the study gave no sign of life; its work is done again by others."""

    study: str
    process: str


Event = (
    StageStarted
    | StageProgress
    | BaselineMeasured
    | Plan
    | ProposalsMade
    | CandidatesReady
    | TrialFinished
    | LessonsLearnt
    | FinalistChosen
    | Decided
    | LeadTaken
    | ProcessLost
)
if TYPE_CHECKING:
    Emit = Callable[[Event], None]
