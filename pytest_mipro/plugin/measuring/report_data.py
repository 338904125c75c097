"""Attach what a run measured to pytest's reports, as JSON that pytest-xdist carries.

Whichever process runs a case attaches; the process that judges (the controller, where cases are
distributed) reads. The attribute maps fields to texts, so any plugin may serialise the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from pytest_mipro.optimizer.budget.prompt_parts import PromptParts
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.lock.lock_file import LockedModule
from pytest_mipro.plugin.measuring.measure import Status, case_status
from pytest_mipro.plugin.measuring.shown_calls import ShownCall
from pytest_mipro.runtime.text.redaction import hide_secrets

_ATTRIBUTE = "mipro"


@dataclass(frozen=True)
class CallUsage:
    """What module calls took; `cost` is in US dollars, None where it is unknown."""

    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0

    def __add__(self, other: CallUsage) -> CallUsage:
        unknown = self.cost is None or other.cost is None
        return CallUsage(
            self.calls + other.calls,
            self.cached + other.cached,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if unknown else (self.cost or 0.0) + (other.cost or 0.0),
        )

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class ModuleUsage:
    """What the calls of one module with one model took, and the parts of their prompts.

    `seconds` sums the latencies, those of cached replies as they were when they were asked;
    `untimed` counts calls whose latency nobody knows, as of recorded replies; `live` is what was
    asked in this run, and `unpriced` what was beside it whose cost is not known.
    `follows` is the plain module whose prompt a variant has, "" for others. `frozen`: no search
    changes its prompt. `asked` holds the digests of the distinct calls of a case.
    """

    module: str
    model: str
    usage: CallUsage
    parts: PromptParts = field(default_factory=PromptParts)
    seconds: float = 0.0
    live: Amount = NOTHING
    follows: str = ""
    frozen: bool = False
    unpriced: Amount = NOTHING
    untimed: int = 0
    asked: tuple[str, ...] = ()

    @property
    def billed(self) -> tuple[Amount, ...]:
        """What was asked in this run: calls of a known cost, and others."""
        return tuple(amount for amount in (self.live, self.unpriced) if amount.calls)


def by_module(parts: Iterable[ModuleUsage]) -> tuple[ModuleUsage, ...]:
    """Return the sum for each module and model, ordered by their names."""
    total: dict[tuple[str, str], ModuleUsage] = {}
    for part in parts:
        key = (part.module, part.model)
        known = total.get(key, ModuleUsage(*key, CallUsage()))
        total[key] = ModuleUsage(
            *key,
            known.usage + part.usage,
            known.parts + part.parts,
            known.seconds + part.seconds,
            known.live + part.live,
            part.follows,
            part.frozen,
            known.unpriced + part.unpriced,
            known.untimed + part.untimed,
            tuple(dict.fromkeys((*known.asked, *part.asked))),
        )
    return tuple(total[key] for key in sorted(total))


@dataclass(frozen=True)
class Step:
    """A call of a module or a step in a case's trace: its name and its output, shortened.

    Of a call that `failed`, it is the error.
    """

    module: str
    output: str
    failed: bool = False


@dataclass(frozen=True)
class CaseResult:
    """A measured case: its id and row in the study, how it ended, what its calls took.

    `samples` holds the score of each sample, `steps` the module calls of the worst one. `group` is
    the text of the column that the mark names, None where there is none. `split` and `cluster` are
    the row's own columns. `digest` is of the row's facts and id, as in the lock, `content` of its
    facts, `seen` of what the case showed to the models. `unit` is the key of clustered
    intervals, "" until the study's cases are known. `shown` are the calls of all samples in full,
    where `--mipro-show` or `--mipro-report` asks for them. `usages` is what the test's own calls
    took, `set_up` what those of its fixtures took: a search repeats the former alone. `shared`
    names the fixtures that were made once for all samples, `given_up` counts the calls that came to
    no end. `within` is what was paid within kept steps that ran: billed, and in no other figure.
    """

    id: str
    row: str
    outcome: Outcome
    usages: tuple[ModuleUsage, ...] = ()
    samples: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()
    group: str | None = None
    split: str | None = None
    digest: str = ""
    content: str = ""
    cluster: str = ""
    seen: str = ""
    unit: str = ""
    shown: tuple[ShownCall, ...] = ()
    set_up: tuple[ModuleUsage, ...] = ()
    shared: tuple[str, ...] = ()
    given_up: int = 0
    within: tuple[ModuleUsage, ...] = ()

    @property
    def all_usages(self) -> tuple[ModuleUsage, ...]:
        """What the calls of the test and of its fixtures took, by module."""
        return by_module([*self.set_up, *self.usages]) if self.set_up else self.usages

    @property
    def test(self) -> str:
        """The name of the case's test in the study."""
        return self.id.partition("[")[0]

    @property
    def score(self) -> float | None:
        """The case's score in 0…1, None where it has none."""
        return self.outcome.score

    @property
    def usage(self) -> CallUsage:
        """What the case's calls of all modules took."""
        return sum((part.usage for part in self.all_usages), CallUsage())

    def status(self, pass_score: float) -> Status:
        """Return how the case counts."""
        return case_status(self.outcome, pass_score)

    def passes(self, pass_score: float) -> int:
        """Return how many of the samples pass."""
        statuses = (case_status(Outcome(score), pass_score) for score in self.samples)
        return sum(status == "passed" for status in statuses)


@dataclass(frozen=True)
class MeasuredCase:
    """A case with its test, and what its study was measured with.

    `partial` says that the run selected some cases of the study only, `selected` how many it did.
    `modules` are those that no earlier report of the process named, `demo_rows` the rows of their
    demos.
    """

    plan: TestPlan
    result: CaseResult
    partial: bool = False
    selected: int = 0
    modules: tuple[LockedModule, ...] = ()
    demo_rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepliesUsage:
    """The replies that one case of a study got; `lock` is the path of the study's lock.

    `calls` counts the replies, `recorded` those that came from the replies file. `oldest` is the
    earliest time that one was asked for, in seconds since the epoch, 0 where no reply has one.
    `troubles` counts replies that were cut, empty, unreadable or refused: module, what, how many.
    `others` are models in whose place another one replied, each with that one. The rest is of a
    recording run: the lines of the replies `used`, the calls that no replay repeats (case, module
    and difference), why the case was not checked for such calls ("": it was), and of calls of the
    pipeline's own client the key, the address and what was `said` (the latter two as digests).
    """

    lock: str
    calls: int
    recorded: int
    oldest: float
    used: tuple[str, ...] = ()
    changing: tuple[tuple[str, str, str], ...] = ()
    unchecked: str = ""
    said: tuple[tuple[str, str, str], ...] = ()
    troubles: tuple[tuple[str, str, int], ...] = ()
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ReportData:
    """What this plugin attaches to a report.

    `status` is the word that the terminal has for it, "" for pytest's own. `outside` are replies
    that were used outside cases: the path of a lock, and the line for the replies file beside it.
    """

    status: str = ""
    case: MeasuredCase | None = None
    replies: RepliesUsage | None = None
    outside: tuple[tuple[str, str], ...] = ()


def attach(report: pytest.TestReport, **changes: Any) -> None:
    """Attach fields of `ReportData` to the report; the others keep their values."""
    # Not dataclasses.asdict, which copies deeply and takes most of the gate's time for a case.
    data = ReportData(**changes)
    texts = {name: json.dumps(getattr(data, name), default=vars) for name in changes}
    setattr(report, _ATTRIBUTE, {**getattr(report, _ATTRIBUTE, {}), **texts})


def attached(report: pytest.CollectReport | pytest.TestReport) -> ReportData | None:
    """Return what is attached to the report, None where it carries nothing of this plugin."""
    texts: dict[str, str] | None = getattr(report, _ATTRIBUTE, None)
    if texts is None:
        return None
    return ReportData(**{name: _read(name, text) for name, text in texts.items()})


@lru_cache(maxsize=32)  # the hooks of one report read the same texts
def _read(name: str, text: str) -> Any:
    return _reader(_hints(ReportData)[name])(json.loads(text))


_hints = cache(get_type_hints)


@cache  # looking up the types takes longer than reading the values
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what makes a value of the annotated type from what JSON has in its place."""
    if isinstance(kind, UnionType):  # with None
        some = _reader(get_args(kind)[0])
        return lambda data: None if data is None else some(data)
    if get_origin(kind) is tuple:
        each = _reader(get_args(kind)[0])
        return lambda data: tuple(map(each, data))
    return _object_reader(kind) if is_dataclass(kind) else _as_it_is


def _object_reader(kind: Any) -> Callable[[dict[str, Any]], Any]:
    readers = {one.name: _reader(_hints(kind)[one.name]) for one in fields(kind)}
    changed = {name: reader for name, reader in readers.items() if reader is not _as_it_is}
    return lambda data: kind(**data | {name: read(data[name]) for name, read in changed.items()})


def _as_it_is(data: Any) -> Any:
    return data


def skip_reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped, as its report has it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return hide_secrets(text.removeprefix("Skipped: ")) or "skipped"


def crash_text(report: pytest.TestReport) -> str:
    """Return what a failed report says first, in one line of at most 300 characters."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return hide_secrets(" ".join(text.split()))[:300]
