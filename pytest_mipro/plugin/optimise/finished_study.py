"""Recognise the result of a study that has ended, so that the same command asks nothing anew.

Written prompts are another start: without this record the same command would begin another search,
and use the holdout again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.case import Evaluation
from pytest_mipro.optimizer.study.fingerprint import digest_of_json
from pytest_mipro.plugin.config.study_files import ensure_study_folder
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.text.files import atomic_write, read_text


class AlreadyFinishedError(Exception):
    """The study has ended, and its result is in place."""


@dataclass(frozen=True)
class FinishedStudy:
    """The record of a study's last result at `path`; `fingerprint` is of this run's study."""

    path: Path
    fingerprint: Mapping[str, str]

    def refuse_repetition(self, baseline: Evaluation) -> None:
        """Raise AlreadyFinishedError if this baseline is what the recorded result left behind."""
        if self._recorded() == self._state(baseline, {}):
            raise AlreadyFinishedError

    @property
    def ended_before(self) -> bool:
        """Whether a search with the same cases and options has ended, whatever changed since."""
        recorded = self._recorded()
        return bool(recorded) and self.fingerprint.items() <= recorded.items()

    def _recorded(self) -> dict[str, str]:
        """Return what the last result left behind, {} where none is recorded or it is damaged."""
        try:
            recorded = json.loads(read_text(self.path))
        except (OSError, ValueError):
            return {}
        return recorded if isinstance(recorded, dict) else {}

    def record(self, result: StudyResult) -> None:
        """Record what the result leaves behind once it is written.

        Raises ConfigurationError where that can't be recorded.
        """
        if result.final is None:
            return
        prompts = {**result.committed, **result.prompts}
        text = json.dumps(self._state(result.final, prompts), indent=1)
        ensure_study_folder(self.path)
        try:
            atomic_write(self.path, f"{text}\n")
        except OSError as error:
            raise ConfigurationError(
                f"{self.path} can't be written ({error.strerror or error}); correct that, and run "
                "the same command again"
            ) from None

    def _state(self, measured: Evaluation, prompts: Mapping[Path, Prompt]) -> dict[str, str]:
        """Return digests of the study, and of its prompts and scores as they were measured."""
        used = sorted(
            (str(call.signature.prompt_path), call.model, _prompt(call, prompts).digest())
            for run in measured.runs
            for call in run.calls
            if not call.own
        )
        return {
            **self.fingerprint,
            "prompts": digest_of_json(used),
            "scores": digest_of_json(measured.scores()),
        }


def _prompt(call: ModuleCall, prompts: Mapping[Path, Prompt]) -> Prompt:
    return prompts.get(call.signature.prompt_path) or committed_prompt(call.signature)
