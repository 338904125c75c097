"""Tell whether a run has all cases of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_mipro.plugin.collecting.cases import marked_tests
from pytest_mipro.plugin.collecting.plan import PlannedCase, StudyKey
from pytest_mipro.plugin.lock.lock_file import Lock, read_lock

if TYPE_CHECKING:
    import pytest


def is_partial(config: pytest.Config, key: StudyKey, members: Sequence[PlannedCase]) -> bool:
    """Return whether some cases of the study are not part of this run, whole tests included."""
    if any(case.test.partial for case in members):
        return True
    mine = {case.test.nodeid for case in members}
    known = {
        nodeid
        for nodeid, study in marked_tests(config).items()
        if (study == key.name if key.named else study is None and _file(nodeid) == key.name)
    }
    return bool(known - mine) or _lock_knows_more(config, read_lock(key.lock), key, members)


def _lock_knows_more(
    config: pytest.Config, lock: Lock | None, key: StudyKey, members: Sequence[PlannedCase]
) -> bool:
    """Return whether the lock has tests that this run did not even collect.

    They lie in files, or in classes of a file named by node ids, that nobody asked for. A test that
    is gone from a file which was collected is no gap.
    """
    tests = {case.test for case in lock.cases} if lock else set()
    missing = tests - {case.test.name for case in members}
    if not key.named:
        return bool(missing) and any("::" in argument for argument in config.args)
    collected = {case.item.path for case in members}
    files = {(key.lock.parent / _file(name)).resolve() for name in missing}
    return any(file.exists() and file not in collected for file in files)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
