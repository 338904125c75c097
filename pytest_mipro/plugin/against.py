"""What the tests of a study are judged against in this run: lock, holdout, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.cache_folder import ini_folder
from pytest_mipro.plugin.holdout import holdout_of
from pytest_mipro.plugin.judge import Against
from pytest_mipro.plugin.lock_file import read_lock
from pytest_mipro.plugin.options import options_of
from pytest_mipro.plugin.plan import StudyKey
from pytest_mipro.plugin.studies import study_path, study_salt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_mipro.plugin.lock import Lock
    from pytest_mipro.plugin.verdict import CaseResult


def against_of(config: pytest.Config, path: Path, study: Sequence[CaseResult]) -> Against:
    """Return what the tests of the study with its lock at `path` are judged against.

    `study` holds all measured cases of the study, as its rows are split together.
    """
    options, lock = options_of(config), _lock(path)
    salt = study_salt(lock, study_path(StudyKey("", path), ini_folder(config)))
    return Against(lock, holdout_of(study, salt, options.min_holdout), options.gate_on)


def _lock(path: Path) -> Lock | None:
    try:
        return read_lock(path)
    except LockError:  # reported at collection; here it can only have broken since
        return None
