"""Collect from the reports which replies each study used: how old they are, what to record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.plugin.measuring.report_data import RepliesUsage, ReportData
from pytest_mipro.runtime.replies.recorded import RecordedReply
from pytest_mipro.runtime.replies.replies_file import from_line

_STUDIES = pytest.StashKey[dict[str, "StudyReplies"]]()


@dataclass
class StudyReplies:
    """The replies that a study used: `cases` by node id, and `outside` cases as lines of its file.

    A case that runs again replaces what it used before.
    """

    lock: Path
    cases: dict[str, RepliesUsage] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)

    @property
    def used(self) -> Iterator[RecordedReply]:
        """The replies that a recording keeps; one that several cases used comes several times."""
        for usage in self.cases.values():
            yield from map(from_line, usage.used)
        yield from map(from_line, self.outside)

    @property
    def changing(self) -> list[tuple[str, str, str]]:
        """Case, module and difference of the calls that no replay makes again, in order."""
        return sorted(each for usage in self.cases.values() for each in usage.changing)

    @property
    def unchecked(self) -> int:
        """How many cases could not be checked for such calls."""
        return sum(usage.unchecked for usage in self.cases.values())

    def describe_age(self, today: date) -> str:
        """Return how many replies are recorded ones and how old; "" where all are of today."""
        usages = self.cases.values()
        recorded = sum(usage.recorded for usage in usages)
        calls = sum(usage.calls for usage in usages)
        oldest = min((usage.oldest for usage in usages if usage.oldest), default=None)
        parts = [f"{recorded:,} of {count_replies(calls)} recorded"] if recorded else []
        if oldest is not None:
            day = datetime.fromtimestamp(oldest, UTC).date()
            days = (today - day).days
            if days > 0 or parts:
                age = f"{counted(days, 'day')} ago" if days > 0 else "today"
                parts.append(f"the oldest asked on {day.isoformat()}, {age}")
        return f"replies: {', '.join(parts)}" if parts else ""


def replies_used(config: pytest.Config) -> dict[str, StudyReplies]:
    """Return what the reports said so far, by the lock's path."""
    return config.stash.get(_STUDIES, {})


def record_replies(config: pytest.Config, report: pytest.TestReport, data: ReportData) -> None:
    """Keep which replies were used up to the report."""
    studies = config.stash.setdefault(_STUDIES, {})
    if data.replies is not None:
        lock = data.replies.lock
        studies.setdefault(lock, StudyReplies(Path(lock))).cases[report.nodeid] = data.replies
    for lock, line in data.outside:
        studies.setdefault(lock, StudyReplies(Path(lock))).outside.append(line)


def age_line(config: pytest.Config, lock: str) -> str:
    """Return the line of a study's block on the age of its replies; empty where there is none."""
    study = replies_used(config).get(lock)
    if study is None or options_of(config).replies == "fresh":
        return ""
    return study.describe_age(datetime.fromtimestamp(time.time(), UTC).date())


def count_replies(count: int) -> str:
    """Return "1 reply", "2,000 replies"."""
    return f"{count:,} {'reply' if count == 1 else 'replies'}"
