"""What the reports tell of replies, by study: how old they were, and what a recording must keep."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.words import counted
from pytest_mipro.runtime.replies.recorded import day_of
from pytest_mipro.runtime.replies.replies_file import from_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mipro.runtime.replies.recorded import RecordedReply

_LEDGER = pytest.StashKey[dict[str, "StudyReplies"]]()


@dataclass(frozen=True)
class ReplyAge:
    """How many replies a study got, how many were recorded ones, and the oldest one's UTC day.

    `oldest` is None where no reply tells when it was asked.
    """

    calls: int
    recorded: int
    oldest: date | None

    def line(self, today: date) -> str:
        """Return what the summary says of it; empty where all replies are today's own."""
        days = (today - self.oldest).days if self.oldest else 0
        parts = [f"{self.recorded:,} of {replies_counted(self.calls)} recorded"]
        if not self.recorded:
            parts = []
        if self.oldest and (days > 0 or parts):
            age = f"{counted(days, 'day')} ago" if days > 0 else "today"
            parts.append(f"the oldest asked on {self.oldest.isoformat()}, {age}")
        return f"replies: {', '.join(parts)}" if parts else ""


@dataclass
class StudyReplies:
    """The facts of one study, by node id: a case that runs again replaces what it told before."""

    lock: Path
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)

    @property
    def age(self) -> ReplyAge:
        """How old the replies of the study's cases are."""
        facts = self.cases.values()
        asked = [fact["oldest"] for fact in facts if fact["oldest"]]
        oldest = day_of(min(asked)) if asked else None
        return ReplyAge(
            sum(fact["calls"] for fact in facts),
            sum(fact["recorded"] for fact in facts),
            date.fromisoformat(oldest) if oldest else None,
        )

    @property
    def used(self) -> Iterator[RecordedReply]:
        """The replies that a recording keeps; one that several cases used comes several times."""
        for facts in self.cases.values():
            yield from map(from_line, facts.get("used", ()))
        yield from map(from_line, self.outside)

    @property
    def changing(self) -> list[tuple[str, str, str]]:
        """Case, module and difference of the calls that no replay makes again, in order."""
        return sorted(tuple(each) for fact in self.cases.values() for each in fact["changing"])

    @property
    def unprobed(self) -> int:
        """How many cases could not be looked through for such calls."""
        return sum(fact["unprobed"] for fact in self.cases.values())


def studies_with_replies(config: pytest.Config) -> dict[str, StudyReplies]:
    """Return what is known, by the lock's path."""
    return config.stash.get(_LEDGER, {})


def note_replies(config: pytest.Config, report: pytest.TestReport) -> None:
    """Keep what a report tells of replies."""
    facts: dict[str, Any] = report.mipro_replies
    ledger = config.stash.setdefault(_LEDGER, {})
    if "case" in facts:
        _study(ledger, facts["case"]["lock"]).cases[report.nodeid] = facts["case"]
    for lock, line in facts.get("outside", ()):
        _study(ledger, lock).outside.append(line)


def age_line(config: pytest.Config, lock: str) -> str:
    """Return the line of a study's block on the age of its replies; empty where there is none."""
    study = studies_with_replies(config).get(lock)
    if study is None or options_of(config).replies == "fresh":
        return ""
    return study.age.line(datetime.fromtimestamp(time.time(), UTC).date())


def replies_counted(count: int) -> str:
    """Return "1 reply", "2,000 replies"."""
    return f"{count:,} {'reply' if count == 1 else 'replies'}"


def _study(ledger: dict[str, StudyReplies], lock: str) -> StudyReplies:
    if lock not in ledger:
        ledger[lock] = StudyReplies(Path(lock))
    return ledger[lock]
