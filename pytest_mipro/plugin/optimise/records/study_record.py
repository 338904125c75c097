"""Write a study's record: what the proposers saw and said, and what each trial scored.

One JSON object a line, in `.mipro/records/`, rewritten by each run of the study. It holds no times
and no places: the same run writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.proposing.proposer_models import Proposal, unusable
from pytest_mipro.optimizer.run.events import (
    CandidatesReady,
    Decided,
    Event,
    FinalistChosen,
    LeadTaken,
    LessonsLearnt,
    ProposalsMade,
    TrialFinished,
)
from pytest_mipro.plugin.config.redaction import redacted
from pytest_mipro.plugin.config.study_files import ensure_study_folder


class StudyRecord:
    """Writes events into the record until it is closed; `redact` takes secrets out of texts.

    In a shared study only the leader opens the file: other processes may run in the same folder.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self.path = path
        self._redact = redact
        self._file: TextIO | None = None

    def open(self) -> None:
        """Begin the record anew; raises ConfigurationError where it can't be written."""
        try:
            ensure_study_folder(self.path)
            with suppress(OSError):  # a new file: another run in this folder may write the old one
                self.path.unlink()
            self._file = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._broken(error, "move it away, or make it writable") from None

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._file is not None:
            with suppress(OSError):  # of a full disk, which the line that it kept back told
                self._file.close()

    def __call__(self, event: Event) -> None:
        """Write what the record keeps of an event; nothing of most."""
        match event:
            case LeadTaken(mine=True):
                self.open()
            case ProposalsMade():
                for proposal in event.proposals:
                    self._write_proposal(event.round, proposal)
                if lost := event.skipped or unusable(event.proposals):
                    self._write("proposals", round=event.round, lost=lost)
            case CandidatesReady():
                self._write_candidates(event)
            case TrialFinished() | FinalistChosen():
                name = "trial" if isinstance(event, TrialFinished) else "finalist"
                self._write(name, **{k: v for k, v in asdict(event).items() if k != "study"})
            case LessonsLearnt():
                for lesson in event.lessons:
                    self._write("lesson", **asdict(lesson.plan), lift=lesson.lift, rows=lesson.rows)
            case Decided():
                verdict = event.decision.verdict if event.decision else "reject"
                self._write("decision", verdict=verdict, reason=event.reason)

    def _write_proposal(self, number: int, proposal: Proposal) -> None:
        self._write(
            "proposal",
            round=number,
            module=proposal.signature.label,
            **asdict(proposal.plan),
            cut=list(proposal.cut),
            dropped=proposal.dropped,
            halvings=proposal.halvings,
            saw=[[message.role, message.content] for message in proposal.messages],
            said=proposal.reply,
            instruction=proposal.instruction,
            problem=proposal.problem,
        )

    def _write_candidates(self, event: CandidatesReady) -> None:
        """Write what a round's assignments index."""
        for module in event.offered:
            self._write(
                "candidates",
                round=event.round,
                module=module.signature.label,
                instructions=module.instructions,
                demo_sets=[[demo.case for demo in demos] for demos in module.demo_sets],
            )

    def _write(self, event: str, **data: Any) -> None:
        if self._file is None:
            raise ValueError("a record is opened before it is written")
        line = json.dumps(redacted({"event": event, **data}, self._redact), ensure_ascii=False)
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            raise self._broken(error, "make room") from None

    def _broken(self, error: OSError, remedy: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.path}: the record can't be written ({error.strerror}); {remedy}"
        )
