"""The cases of a study, the tests that they belong to, and the outcomes and runs of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from types import MappingProxyType
from typing import Any

from pytest_mipro.errors import MiproError
from pytest_mipro.optimizer.study.identity import RowTag, seen_digest
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.score import ROUNDING
from pytest_mipro.runtime.signature.json_values import to_text

NOTHING_SEEN: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Outcome:
    """How one run of a case ended: with a score, a skip, or an error (a broken measurement).

    `score` is in 0…1, None if the case was skipped or broke. `feedback` is canonical: the same text
    on every terminal. `metrics` are the further numbers of a `Score`. `skipped` is the reason of a
    skip and `error` the text of what broke the measurement, "" otherwise. `failure` is the
    exception's one-line text if the test raised neither an assertion nor a skip: the score is None
    until the same exception comes again on the same replies, and 0 from then on. `returned` tells
    whether the test returned a score.
    """

    score: float | None
    feedback: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    skipped: str = ""
    error: str = ""
    failure: str = ""
    returned: bool = False


@dataclass(frozen=True)
class TestSpec:
    """A metric-bearing test and the arguments of its mark.

    `name` is its name in the study. `threshold` is the mean that it must reach, or its lower bound
    at `confidence`; `max_regression` is the allowed loss against the lock (all in 0…1 or None). A
    case passes from `pass_score` on, as the mean of `repeats` runs. `labels` maps modules to the
    case column with their right output. `concurrent` allows cases to run at the same time.
    """

    __test__ = False  # pytest must not collect it

    name: str
    threshold: float | None = None
    max_regression: float | None = None
    confidence: float | None = None
    pass_score: float = 1.0
    repeats: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    concurrent: bool = True

    def passes(self, score: float) -> bool:
        """Return whether a case with this score passes; a mean may miss its value by rounding."""
        return score >= self.pass_score - ROUNDING

    def label_column(self, module: str, columns: Mapping[str, Any]) -> str | None:
        """Return the column with a module's right output, None where a row has none.

        `labels` names a module by its own name or its function's. An empty text is no label: that
        is what a CSV file has in each row without one.
        """
        column = self.labels.get(module) or self.labels.get(module.rpartition(".")[2])
        return column if columns.get(column or "", "") != "" else None


@dataclass(frozen=True)
class Case:
    """One case of one test.

    `id` is unique in the study. `row` is the key of what the case is about: cases with equal inputs
    have one row, and demos are taken by row. `test` names the `TestSpec`. `run` calls the test once
    and raises nothing but KeyboardInterrupt. `columns` are the row's values, without those that say
    how it is used: `split` forces the row into a part, rows of one `cluster` ("": none) are
    related, with `demo` False the row is kept out of demos and proposals. `content` and `digest`
    are digests of the row without and with these. `unit` is the key by which split and intervals
    go, once the traces tell which rows are one; "" is the row itself. `model` is the one of modules
    that name none; "" leaves it to the settings.
    """

    id: str
    row: str
    test: str
    run: Callable[[], Outcome]
    columns: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    demo: bool = True
    cluster: str = ""
    content: str = ""
    digest: str = ""
    unit: str = ""
    model: str = ""


@dataclass(frozen=True)
class Study:
    """The cases that are optimised together.

    `name` is the lock's path as seen from pytest's ini file, `cases` are sorted by id, `tests`
    holds the `TestSpec` of each test by name.
    """

    name: str
    cases: tuple[Case, ...]
    tests: Mapping[str, TestSpec]


def row_tags(cases: Iterable[Case], seen: Mapping[str, str] = NOTHING_SEEN) -> list[RowTag]:
    """Return the tags of the cases' rows; `seen` holds what cases showed, by id."""
    return [
        RowTag(case.row, case.split, case.content, case.cluster, case.test, seen.get(case.id, ""))
        for case in cases
    ]


def seen_inputs(runs: Iterable[CaseRun]) -> dict[str, str]:
    """Return by case a digest of what its runs showed to the models (see `seen_digest`)."""
    calls: defaultdict[str, list[ModuleCall]] = defaultdict(list)
    for run in runs:
        calls[run.case.id] += run.calls
    return {case: seen_digest(made) for case, made in calls.items()}


def texts_of(runs: Iterable[CaseRun]) -> dict[str, str]:
    """Return by row the texts that its cases' first samples showed to the modules to optimise."""
    texts: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for run in runs:
        for call in run.calls if run.sample == 0 else ():
            if call.signature.optimize:
                texts[run.case.row] |= dict.fromkeys(map(to_text, call.inputs.values()))
    return {row: "\n".join(found) for row, found in texts.items()}


def cases_of(study: Study, rows: Sequence[str]) -> tuple[Case, ...]:
    """Return the study's cases of these rows, in the study's order."""
    wanted = frozenset(rows)
    return tuple(case for case in study.cases if case.row in wanted)


@dataclass(frozen=True)
class CaseRun:
    """One run of a case with one sample index: how it ended and the module calls it made.

    `ended` is set where the run as a whole has to end: it reached a limit, or needs a setting.
    `steps` are its calls of functions under `@step`.
    """

    case: Case
    sample: int
    outcome: Outcome
    calls: tuple[ModuleCall, ...]
    ended: MiproError | None = None
    steps: tuple[StepCall, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """The runs of one program on some cases, in case order.

    `calls` counts the distinct LM requests that are new to the run. `over_budget` says what it
    needed beyond its reservation: then it holds no runs.
    """

    runs: tuple[CaseRun, ...]
    calls: int = 0
    over_budget: str = ""

    @property
    def skipped(self) -> tuple[str, ...]:
        """Ids of the cases that were skipped by their tests."""
        return tuple(dict.fromkeys(run.case.id for run in self.runs if run.outcome.skipped))

    def scores(self, *, samples: int | None = None) -> dict[str, float]:
        """Return each case's mean score over its (first `samples`) runs; a skip counts 0."""
        sums: dict[str, list[float]] = {}
        for run in self.runs:
            values = sums.setdefault(run.case.id, [])
            if samples is None or len(values) < samples:
                values.append(run.outcome.score or 0.0)
        return {case: sum(values) / len(values) for case, values in sums.items()}


@dataclass(frozen=True)
class CaseCost:
    """The mean cost of a run of a case: tokens, and US dollars (None: a price is unknown)."""

    tokens: float = 0.0
    cost: float | None = None


NO_COST = CaseCost()


def pooled_cost(*parts: tuple[CaseCost, int]) -> CaseCost:
    """Return the mean cost of all runs, of which each part is the mean of so many."""
    runs = max(1, sum(count for _, count in parts))
    tokens = fsum(part.tokens * count for part, count in parts) / runs
    costs = [part.cost * count for part, count in parts if part.cost is not None]
    return CaseCost(tokens, fsum(costs) / runs if len(costs) == len(parts) else None)


def mean_cost(runs: Sequence[CaseRun]) -> CaseCost:
    """Return the mean cost of the runs; cached replies count as when they were paid."""
    calls = [call for run in runs for call in run.calls]
    tokens = sum(call.usage.prompt_tokens + call.usage.completion_tokens for call in calls)
    known = [call.cost for call in calls if call.cost is not None]
    cost = fsum(known) / len(runs) if calls and len(known) == len(calls) else None
    return CaseCost(tokens / max(1, len(runs)), cost)
