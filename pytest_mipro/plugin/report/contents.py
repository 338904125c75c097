"""Collect what a report holds: the run's studies, verdicts, module calls and optimisations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_mipro.optimizer.proposing.proposer_models import Proposal
from pytest_mipro.optimizer.run.events import (
    CandidatesReady,
    Event,
    FinalistChosen,
    LessonsLearnt,
    ProposalsMade,
    TrialFinished,
)
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.plugin.config.cache_folder import ini_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.gate.differences import Difference
from pytest_mipro.plugin.gate.drift import drift_of
from pytest_mipro.plugin.gate.provenance import replies_used
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import ModuleUsage, by_module
from pytest_mipro.plugin.replies.troubles import Trouble
from pytest_mipro.runtime.signature.signature import Signature

_KEPT = (ProposalsMade, CandidatesReady, TrialFinished, LessonsLearnt, FinalistChosen)
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class GatedStudy:
    """A study as a plain run measured it.

    `lock` is the lock's path as reports show it; `differences` is None where there was no lock to
    compare with; `troubles` counts replies that were cut, empty, unreadable or refused.
    """

    name: str
    lock: str
    differences: tuple[Difference, ...] | None
    verdicts: tuple[Verdict, ...]
    usages: tuple[ModuleUsage, ...]
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True)
class OptimizedStudy:
    """A study that came to its decision, what happened on the way, and the troubled replies.

    `diff` holds the lines of its prompt files' diff: of the finalist's, written or not.
    """

    result: StudyResult
    events: tuple[Event, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    diff: tuple[str, ...] = ()

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """Return the events of a kind, in their order."""
        return tuple(event for event in self.events if isinstance(event, kind))

    @property
    def trials(self) -> tuple[TrialFinished, ...]:
        """The trials, in their order."""
        return self.of(TrialFinished)

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """The proposals of all rounds."""
        return tuple(each for made in self.of(ProposalsMade) for each in made.proposals)

    @property
    def changed(self) -> tuple[Signature, ...]:
        """The modules whose prompts the optimisation changed."""
        new, old = self.result.prompts, self.result.committed
        paths = {path for path in new if new[path] != old[path]}
        return tuple(each for each in self.result.signatures if each.prompt_path in paths)


@dataclass(frozen=True)
class RunReport:
    """The contents of all reports. `written` are the files that the run wrote, as paths shown."""

    root: Path
    optimize: bool
    exit_status: int
    studies: tuple[GatedStudy, ...]
    optimizations: tuple[OptimizedStudy, ...]
    written: tuple[str, ...]

    def shown(self, path: Path) -> str:
        """Return a path as reports show it: relative to the folder of pytest's ini file."""
        return relative_path(path, self.root)


@dataclass(eq=False)  # pytest keeps plugins in sets
class Optimizations:
    """A plugin that keeps what an optimisation came to, for the reports.

    `troubles` are there also for a study that stopped before its decision.
    """

    results: list[StudyResult] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    troubles: dict[str, tuple[Trouble, ...]] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Keep what reports show of a search."""
        if isinstance(event, _KEPT):
            self.events.setdefault(event.study, []).append(event)

    def pytest_mipro_study_finished(self, result: StudyResult) -> None:
        """Keep a study's result."""
        self.results.append(result)


def describe_demand(result: StudyResult) -> str:
    """Return the label of prompts that were only accepted on demand, "" for others."""
    decision = result.decision
    if decision is None or not (decision.on_demand and decision.accepted):
        return ""
    what = "likely better" if decision.verdict == "likely" else decision.verdict
    return f"accepted by --mipro-accept=likely: {what}, not confirmed"


OPTIMIZATIONS = "mipro-optimizations"
"""The name that the plugin is registered by."""


def optimizations_of(config: pytest.Config) -> Optimizations:
    """Return what the run's optimisation came to so far; nothing in a plain run."""
    found: Optimizations | None = config.pluginmanager.get_plugin(OPTIMIZATIONS)
    return found or Optimizations()


def troubles_of(config: pytest.Config, lock: str) -> tuple[Trouble, ...]:
    """Return the troubles that a plain run had with the replies of a lock's study."""
    study = replies_used(config).get(lock)
    return study.troubles if study is not None else ()


def run_report(config: pytest.Config, exit_status: int, given: Sequence[Verdict]) -> RunReport:
    """Return what the run knows at its end."""
    root, manager, announced = ini_folder(config), config.pluginmanager, optimizations_of(config)
    changes = manager.get_plugin("mipro-changes")
    writers = [changes, manager.get_plugin("mipro-update-lock")]
    by_lock: dict[str, list[Verdict]] = {}
    for verdict in given:
        by_lock.setdefault(verdict.plan.lock, []).append(verdict)
    return RunReport(
        root=root,
        optimize=options_of(config).optimize,
        exit_status=int(exit_status),
        studies=tuple(_gated(config, root, *each) for each in by_lock.items()),
        optimizations=tuple(
            OptimizedStudy(
                result,
                tuple(announced.events.get(result.study, ())),
                announced.troubles.get(result.study, ()),
                changes.diff(result.study) if changes is not None else (),
            )
            for result in announced.results
        ),
        written=tuple(
            relative_path(path, root)
            for writer in writers
            if writer is not None
            for path in writer.written
        ),
    )


def _gated(config: pytest.Config, root: Path, lock: str, verdicts: Sequence[Verdict]) -> GatedStudy:
    results = [result for verdict in verdicts for result in verdict.results]
    return GatedStudy(
        name=verdicts[0].plan.study,
        lock=relative_path(Path(lock), root),
        differences=drift_of(config, lock, lambda path: relative_path(path, root)),
        verdicts=tuple(verdicts),
        usages=by_module(usage for result in results for usage in result.all_usages),
        troubles=troubles_of(config, lock),
    )
