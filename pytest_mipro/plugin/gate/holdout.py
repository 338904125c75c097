"""Find the lock and the holdout that the tests of a study are judged against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError, LockError
from pytest_mipro.optimizer.study.split import RowTag, place_of, split_rows
from pytest_mipro.plugin.config.cache_folder import ini_folder
from pytest_mipro.plugin.config.options import GateOn, options_of
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.lock_schema import Lock, split_salt
from pytest_mipro.plugin.measuring.report_data import CaseResult

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Holdout:
    """The keys of the holdout's rows; where there are none, `problem` says why, with a remedy."""

    rows: frozenset[str]
    problem: str = ""


@dataclass(frozen=True)
class Reference:
    """What a test is judged against: its study's lock and holdout, and which mean decides."""

    lock: Lock | None
    holdout: Holdout
    gate_on: GateOn


def reference_of(config: pytest.Config, path: Path, study: Sequence[CaseResult]) -> Reference:
    """Return what the tests of the study with its lock at `path` are judged against.

    `study` holds all measured cases of the study, as its rows are split together.
    """
    options = options_of(config)
    try:
        lock = read_lock(path)
    except LockError:  # reported at collection; here it can only have broken since
        lock = None
    salt = split_salt(lock, path, ini_folder(config))
    return Reference(lock, holdout_of(study, salt, options.min_holdout), options.gate_on)


def holdout_of(results: Iterable[CaseResult], salt: str, min_holdout: int) -> Holdout:
    """Return the holdout of a study's measured cases, as the optimisation splits them.

    Skipped cases are no part of a study.
    """
    tags = [RowTag(result.row, result.split) for result in results if not result.outcome.skipped]
    try:
        split = split_rows(tags, salt, min_holdout=min_holdout)
    except ConfigurationError as error:
        return Holdout(frozenset(), str(error))
    if split.holdout:
        return Holdout(frozenset(split.holdout))
    asked = {tag.row: tag.split for tag in sorted(tags, key=lambda tag: tag.split or "")}
    found = sum((place or place_of(row, salt)) == "holdout" for row, place in asked.items())
    return Holdout(
        frozenset(),
        f"the study has {found} holdout rows of the {min_holdout} that it needs; add cases, "
        "tag rows with split=holdout, or lower mipro_min_holdout",
    )
