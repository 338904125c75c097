"""Collect from the reports what each study was measured with: modules, selection and replies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.lock.lock_file import LockedModule
from pytest_mipro.plugin.lock.write_journal import file_digest
from pytest_mipro.plugin.measuring.report_data import MeasuredCase, RepliesUsage, ReportData
from pytest_mipro.plugin.replies.client_stack import replies_path
from pytest_mipro.plugin.replies.troubles import Trouble, added
from pytest_mipro.runtime.replies.recorded import RECORD, RecordedReply
from pytest_mipro.runtime.replies.replies_file import from_line
from pytest_mipro.runtime.signature.signature import variant_of_file
from pytest_mipro.runtime.text.number_words import counted


@dataclass(frozen=True)
class StudyProvenance:
    """What a study was measured with; `lock` is the path of its lock.

    `partial` says that not all of its cases were selected, `selected` how many were. `replaces` is
    the digest of the lock's bytes when the first report came.
    """

    lock: Path
    partial: bool
    selected: int
    replaces: str
    modules: tuple[LockedModule, ...] = ()
    demo_rows: frozenset[str] = frozenset()


@dataclass
class StudyReplies:
    """The replies that a study used: `cases` by node id, and `outside` cases as lines of its file.

    A case that runs again replaces what it used before.
    """

    lock: Path
    cases: dict[str, RepliesUsage] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The replies of its cases that were cut, empty or refused."""
        return added(each for usage in self.cases.values() for each in usage.troubles)

    @property
    def used(self) -> Iterator[RecordedReply]:
        """The replies that a recording keeps; one that several cases used comes several times."""
        for usage in self.cases.values():
            yield from map(from_line, usage.used)
        yield from map(from_line, self.outside)

    @property
    def disputed(self) -> frozenset[str]:
        """The keys of requests that several endpoints answered, and not alike.

        A recording knows no endpoint: a replay would give one's reply in another's place.
        """
        asked: dict[str, set[str]] = {}
        heard: dict[str, set[str]] = {}
        for key, address, text in (it for usage in self.cases.values() for it in usage.said):
            asked.setdefault(key, set()).add(address)
            heard.setdefault(key, set()).add(text)
        return frozenset(key for key in asked if len(asked[key]) > 1 and len(heard[key]) > 1)


_STUDIES = pytest.StashKey[dict[str, StudyProvenance]]()
_REPLIES = pytest.StashKey[dict[str, StudyReplies]]()


def provenance_of(config: pytest.Config) -> Mapping[str, StudyProvenance]:
    """Return what the run's reports said so far, by the lock's path."""
    return config.stash.get(_STUDIES, {})


def replies_used(config: pytest.Config) -> Mapping[str, StudyReplies]:
    """Return which replies the run's reports named so far, by the lock's path."""
    return config.stash.get(_REPLIES, {})


def record_provenance(config: pytest.Config, case: MeasuredCase) -> None:
    """Keep what the report of a case says of its study."""
    path, studies = case.plan.lock, config.stash.setdefault(_STUDIES, {})
    if path not in studies:
        lock = Path(path)
        studies[path] = StudyProvenance(lock, case.partial, case.selected, file_digest(lock))
    if case.modules:  # workers name the same modules, each for itself
        known = studies[path]
        new = (module for module in case.modules if module not in known.modules)
        rows = known.demo_rows.union(case.demo_rows)
        studies[path] = replace(known, modules=(*known.modules, *new), demo_rows=rows)


def record_replies(config: pytest.Config, report: pytest.TestReport, data: ReportData) -> None:
    """Keep which replies were used up to the report."""
    studies = config.stash.setdefault(_REPLIES, {})
    if data.replies is not None:
        lock = data.replies.lock
        studies.setdefault(lock, StudyReplies(Path(lock))).cases[report.nodeid] = data.replies
    for lock, line in data.outside:
        studies.setdefault(lock, StudyReplies(Path(lock))).outside.append(line)


def age_line(config: pytest.Config, lock: str) -> str:
    """Return how many replies of a study are recorded ones and how old.

    "" where all are new, and where nothing is recorded or the endpoint is asked anew.
    """
    study = replies_used(config).get(lock)
    source = options_of(config).replies
    if study is None or source == "fresh":
        return ""
    usages = study.cases.values()
    recorded = sum(usage.recorded for usage in usages)
    calls = sum(usage.calls for usage in usages)
    lacking = source == "auto" and recorded < calls and replies_path(study.lock).exists()
    parts = [f"{recorded:,} of {count_replies(calls)} recorded"] if recorded or lacking else []
    oldest = min((usage.oldest for usage in usages if usage.oldest), default=None)
    if oldest is not None:
        day = datetime.fromtimestamp(oldest, UTC).date()
        days = (datetime.fromtimestamp(time.time(), UTC).date() - day).days
        if days > 0 or recorded:
            age = f"{counted(days, 'day')} ago" if days > 0 else "today"
            age = "by a clock that was ahead" if days < 0 else age
            parts.append(f"the oldest asked on {day.isoformat()}, {age}")
    remedy = f"; `{RECORD}` records the others" if lacking else ""
    return f"replies: {', '.join(parts)}{remedy}" if parts else ""


def variant_lines(config: pytest.Config, lock: str) -> list[str]:
    """Return a line for each variant that a study measured: whose prompts are its own."""
    study = provenance_of(config).get(lock)
    found: dict[str, dict[str, set[str]]] = {}
    for module in study.modules if study else ():
        file = Path(lock).parent / module.prompt_path
        if variant := variant_of_file(file):
            kind = "its own prompt for" if file.exists() else "the plain prompt for"
            kinds = found.setdefault(variant, {})
            kinds.setdefault(kind, set()).add(module.name.removesuffix(f"@{variant}"))
    return [
        f"variant {variant}: "
        + "; ".join(f"{kind} {', '.join(sorted(names))}" for kind, names in sorted(kinds.items()))
        for variant, kinds in sorted(found.items())
    ]


def other_models(config: pytest.Config, lock: str) -> list[str]:
    """Return a line for each model of a study in whose place another one replied."""
    study = replies_used(config).get(lock)
    usages = study.cases.values() if study else ()
    pairs = sorted({pair for usage in usages for pair in usage.others})
    return [
        f"asked {asked}, served by {served}: scores are the latter's" for asked, served in pairs
    ]


def count_replies(count: int) -> str:
    """Return "1 reply", "2,000 replies"."""
    return counted(count, "reply", "replies")
