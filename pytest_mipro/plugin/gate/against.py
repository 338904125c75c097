"""What the tests of a study are judged against in this run: lock, holdout, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.config.cache_folder import ini_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.gate.holdout import holdout_of
from pytest_mipro.plugin.gate.judge import Against
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.lock_schema import split_salt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_mipro.plugin.gate.verdict import CaseResult
    from pytest_mipro.plugin.lock.lock_schema import Lock


def against_of(config: pytest.Config, path: Path, study: Sequence[CaseResult]) -> Against:
    """Return what the tests of the study with its lock at `path` are judged against.

    `study` holds all measured cases of the study, as its rows are split together.
    """
    options, lock = options_of(config), _lock(path)
    salt = split_salt(lock, path, ini_folder(config))
    return Against(lock, holdout_of(study, salt, options.min_holdout), options.gate_on)


def _lock(path: Path) -> Lock | None:
    try:
        return read_lock(path)
    except LockError:  # reported at collection; here it can only have broken since
        return None
