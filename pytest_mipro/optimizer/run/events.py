"""The events that the optimiser emits; the terminal and the reports draw the same ones.

Trials and rounds are counted from 1, as people see them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pytest_mipro.optimizer.measuring.disturbance import Disturbed
from pytest_mipro.optimizer.proposing.proposal_plan import Effect, Lesson
from pytest_mipro.optimizer.proposing.proposer_models import Proposal
from pytest_mipro.optimizer.run.forecast import Forecast
from pytest_mipro.optimizer.search.candidates import ModuleCandidates
from pytest_mipro.optimizer.search.space import Assignment
from pytest_mipro.optimizer.statistics.decide import Decision
from pytest_mipro.optimizer.statistics.intervals import Interval, PairedLift
from pytest_mipro.optimizer.study.amount import NOTHING, Amount, Limits
from pytest_mipro.optimizer.study.case import NO_COST, CaseCost
from pytest_mipro.optimizer.study.near_duplicates import NearDuplicates
from pytest_mipro.optimizer.study.split import Split

Stage = Literal["baseline", "proposals", "search", "decision", "final pass"]
Step = Literal["bootstrap", "leaders"]
"""What the search does beside its stages: it runs training rows, and leaders on all rows."""
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
    stage: Stage | Step
    done: int
    total: int


@dataclass(frozen=True)
class Measured:
    """The scores of one program.

    `objective` is the unweighted mean of the `tests`' means (all in 0…1), `interval` its 95 %
    confidence interval; `cases` and `rows` count what was measured.
    """

    objective: float
    interval: Interval
    tests: Mapping[str, float]
    cases: int
    rows: int


@dataclass(frozen=True)
class BaselineMeasured:
    """The committed prompts were measured on all cases; `removed` were skipped by their tests.

    `clusters` counts the rows that count as one for one.
    """

    study: str
    measured: Measured
    removed: tuple[str, ...]
    clusters: int | None = None


@dataclass(frozen=True)
class Plan:
    """The exact plan, known after the baseline.

    `forecast` is what the whole run takes, cached replies and the baseline included; `limits` and
    `max_seconds` bound it. `detectable` is the lift that the deciding rows show in 70 % of runs,
    at the `look`-th use of a holdout;
    `one_at_a_time` names the tests whose cases can't run concurrently, `silent` those whose cases
    called no module. `disturbed` are those whose cases ended otherwise beside others than alone: if
    there are any, all cases run one at a time. `near` tells of rows on both sides of the split that
    are nearly the same, `label_faults` of labels that give no demos.
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
    silent: tuple[str, ...] = ()
    disturbed: tuple[Disturbed, ...] = ()
    near: NearDuplicates | None = None
    look: int = 1
    label_faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class CandidatesReady:
    """How many instructions and demo sets each module has in a round, the current ones included.

    `pool` counts the rows that a module has demos from, `too_long` those of them whose demo alone
    is longer than a demo set may be. `offered` are the candidates themselves, which assignments
    index: two dimensions a module, in this order. `ways` says how the demos of a set, given by the
    digest of a prompt of nothing else, were drawn.
    """

    study: str
    round: int
    instructions: Mapping[str, int]
    demo_sets: Mapping[str, int]
    pool: Mapping[str, int]
    too_long: Mapping[str, int]
    offered: tuple[ModuleCandidates, ...] = ()
    ways: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialFinished:
    """One trial of a search.

    `study` is the study's name, `number` counts its trials and `round` its rounds, from 1. `kind`
    is "minibatch" or "full" (all validation rows). `assignment` has one index for each dimension.
    `estimate` (0…1) is the committed prompts' score on all validation rows and the lift on the
    `rows` measured; of a full trial it is the score itself. `calls` counts the LM requests
    made; `best` is the estimate of the program believed best so far. `dropped` says why a trial has
    no score: it used more than was reserved for it. `scores` holds what is known of the program by
    now: the score of each case measured, by id; `price` is its mean price of a case. `spent` is
    what the run's distinct requests came to when the trial ended. `share` (0…1) is how much of a
    planned trial it took: all where all calls may be new, less if it changed a late module alone,
    and none of a leader's on more rows.
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
    scores: Mapping[str, float] = field(default_factory=dict)
    price: CaseCost = NO_COST
    spent: Amount = NOTHING
    share: float = 1.0


@dataclass(frozen=True)
class LeaderKnown:
    """The program believed best so far: its estimate `best` (0…1), and what it gains.

    `lift` is that over the committed prompts, on the rows that the program was measured on.
    """

    study: str
    best: float
    lift: PairedLift


@dataclass(frozen=True)
class ProposalsMade:
    """A round's instructions were proposed; `proposals` hold the requests and replies.

    `skipped` says why none was asked for ("" if they were).
    """

    study: str
    round: int
    proposals: tuple[Proposal, ...]
    skipped: str = ""


@dataclass(frozen=True)
class LessonsLearnt:
    """The rewards of the proposals tried in a round, whether or not learning is on.

    `effects` are what is known of each choice of how to ask, lessons of earlier runs included.
    """

    study: str
    round: int
    lessons: tuple[Lesson, ...]
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class FinalistChosen:
    """The finalist is one of `equals` programs that the data can't tell apart, and the cheapest.

    `price` is its mean price of a case, `best_price` that of the program with the highest estimate;
    `is_best` is set if these are the same program. `assignment` is the finalist's.
    """

    study: str
    equals: int
    price: CaseCost
    best_price: CaseCost
    is_best: bool
    assignment: Assignment = ()


@dataclass(frozen=True)
class Decided:
    """The decision on the finalist; None if no candidate beat the baseline."""

    study: str
    decision: Decision | None
    reason: str


@dataclass(frozen=True)
class LeadTaken:
    """`leader` proposes and decides for the processes of a shared study; `mine`: it is this one."""

    study: str
    leader: str
    mine: bool


@dataclass(frozen=True)
class ProcessLost:
    """A process that shared the study gave no sign of life; others repeat its unfinished work."""

    study: str
    process: str


Event = (
    StageStarted
    | StageProgress
    | BaselineMeasured
    | Plan
    | ProposalsMade
    | CandidatesReady
    | LeaderKnown
    | TrialFinished
    | LessonsLearnt
    | FinalistChosen
    | Decided
    | LeadTaken
    | ProcessLost
)


Emit = Callable[[Event], None]
