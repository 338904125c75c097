"""The record of a study: what the proposers saw and said, what each trial scored, what was learnt.

One JSON object a line, in `.mipro/records/`, rewritten by each run of the study. It has no time and
no place in it: the same run writes the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any, Self

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.run.events import (
    Decided,
    FinalistChosen,
    LeadTaken,
    LessonsLearnt,
    ProposalsMade,
    TrialFinished,
)
from pytest_mipro.plugin.config.study_files import ensure_study_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path
    from typing import TextIO

    from pytest_mipro.optimizer.run.events import Event


def when_leading(record: StudyRecord, stack: ExitStack) -> Callable[[Event], None]:
    """Return the record's listener in a shared study: its file is opened by who leads alone.

    Processes that run in one folder would else write into each other's lines.
    """

    def tell(event: Event) -> None:
        if isinstance(event, LeadTaken) and event.mine:
            stack.enter_context(record)
        record(event)

    return tell


class StudyRecord:
    """Writes events into the record, as a `with` block; `redact` takes secrets out of texts."""

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self.path = path
        self._redact = redact
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            ensure_study_folder(self.path)
            self._file = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: the record can't be written ({error.strerror}); move it away, "
                "or make it writable"
            ) from None
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, event: Event) -> None:
        """Write what the record keeps of an event."""
        self._note(event)

    @singledispatchmethod
    def _note(self, event: Event) -> None:
        """Keep nothing of other events."""

    @_note.register
    def _(self, event: ProposalsMade) -> None:
        for proposal in event.proposals:
            self._write(
                "proposal",
                round=event.round,
                module=proposal.signature.name,
                **asdict(proposal.plan),
                cut=list(proposal.cut),
                saw=[[message.role, message.content] for message in proposal.messages],
                said=proposal.reply,
                instruction=proposal.instruction,
            )

    @_note.register
    def _(self, event: TrialFinished) -> None:
        data = asdict(event)
        del data["study"]
        self._write("trial", **data)

    @_note.register
    def _(self, event: LessonsLearnt) -> None:
        for lesson in event.lessons:
            self._write("lesson", **asdict(lesson.plan), lift=lesson.lift, rows=lesson.rows)

    @_note.register
    def _(self, event: FinalistChosen) -> None:
        data = asdict(event)
        del data["study"]
        self._write("finalist", **data)

    @_note.register
    def _(self, event: Decided) -> None:
        verdict = event.decision.verdict if event.decision else "reject"
        self._write("decision", verdict=verdict, reason=event.reason)

    def _write(self, event: str, **data: Any) -> None:
        if self._file is None:
            raise ValueError("a record is written within its `with` block")
        line = json.dumps(_redacted({"event": event, **data}, self._redact), ensure_ascii=False)
        self._file.write(f"{line}\n")
        self._file.flush()


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item, redact) for item in value]
    return value
