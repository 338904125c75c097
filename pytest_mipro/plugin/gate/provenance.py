"""Collect from the reports what each study was measured with: its modules, and which selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_mipro.plugin.lock.lock_schema import LockedModule
from pytest_mipro.plugin.lock.write_journal import file_digest
from pytest_mipro.plugin.measuring.report_data import MeasuredCase


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


_STUDIES = pytest.StashKey[dict[str, StudyProvenance]]()


def provenance_of(config: pytest.Config) -> Mapping[str, StudyProvenance]:
    """Return what the run's reports said so far, by the lock's path."""
    return config.stash.get(_STUDIES, {})


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
