"""What a run of one study needs, and the lines on its rows that stand before all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.optimizer.study.fingerprint import fingerprint_of
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.plugin.collecting.plan import PlannedCase, StudyKey
from pytest_mipro.plugin.config.cache_folder import mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.study_files import StudyFile, study_file
from pytest_mipro.plugin.optimise.finished_study import FinishedStudy
from pytest_mipro.plugin.optimise.inputs.study_effort import effort_of
from pytest_mipro.plugin.optimise.pending_changes import PendingChanges
from pytest_mipro.plugin.optimise.screen.labelled_lines import labelled
from pytest_mipro.plugin.optimise.screen.terminal_screen import TerminalScreen
from pytest_mipro.runtime.calls.trace import ModuleCall


@dataclass(frozen=True)
class StudyInputs:
    """What a run of one study needs.

    `alone` names, by test, the fixtures for whose sake its cases run one at a time; `partial` tells
    that only some of the study's cases are selected, and nothing may be written. `planned` are the
    cases as the gate knows them, `fixture_calls` the module calls of their fixtures.
    """

    config: pytest.Config
    key: StudyKey
    study: Study
    alone: Mapping[str, tuple[str, ...]]
    partial: bool
    changes: PendingChanges
    planned: Sequence[PlannedCase] = ()
    fixture_calls: Sequence[ModuleCall] = ()

    def file(self, kind: StudyFile) -> Path:
        """Return the path of the study's file of this kind in the cache folder."""
        return study_file(mipro_folder(self.config), kind, self.study.name)

    def finished(self, settings: OptimizerSettings) -> FinishedStudy:
        """Return what is known of an earlier search of these cases with these settings."""
        return FinishedStudy(self.file("finished"), fingerprint_of(self.study, settings, {}))


def tell_of_rows(inputs: StudyInputs, screen: TerminalScreen) -> None:
    """Say where rows are too few for the effort, and where a selection leaves cases out."""
    options = options_of(inputs.config)
    note = effort_of(options, inputs.study).note
    for line in labelled("effort", note, screen.width) if note else ():
        screen.line(line, always=True)
    if inputs.partial:
        line = "only part of the study's cases are selected: nothing will be written"
        screen.line(line, always=options.dry_run)
