"""`--mipro-update-lock`: after a hand edit, the lock is written from a plain run's own scores.

No search: the run measures whole studies as any gate does, and what it measured is locked. Salt,
seed and the count of holdout uses stay what they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mipro.errors import LockError, MiproError
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.gate.provenance import observed_studies
from pytest_mipro.plugin.lock.lock_file import dump_lock, read_lock
from pytest_mipro.plugin.lock.lock_schema import Lock, LockedCase, split_salt
from pytest_mipro.plugin.lock.write_journal import FileWrite, flush
from pytest_mipro.runtime.text.files import ensure_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_mipro.plugin.gate.provenance import ObservedStudy
    from pytest_mipro.plugin.gate.state import RunState
    from pytest_mipro.plugin.gate.verdict import CaseResult, Verdict


UPDATE_LOCK = "mipro-update-lock"
"""The name that the plugin is registered by."""


class UpdateLock:
    """Writes the locks at the session's end, all or none, and says so in a line each.

    It stands in the process that has the verdicts: the controller, where cases are distributed.
    `lines` tell what was written, and what was not, with whether it went well; `written` are the
    files whose text changed.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._config = state.config
        self.lines: list[tuple[str, bool]] = []
        self.written: tuple[Path, ...] = ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the locks; a study that was not measured whole fails the run, writing none."""
        writes, problems = [], []
        for path, study in observed_studies(self._config).items():
            verdicts = [item for item in self._state.verdicts if item.plan.lock == path]
            if problem := unmeasured(study, verdicts):
                problems.append(f"{format_path(self._config, study.lock)}: not written: {problem}")
                continue
            try:
                old = read_lock(study.lock)
            except LockError as error:  # broken since it was read at collection
                problems.append(f"not written: {error}")
                continue
            lock = updated_lock(old, study, verdicts, ini_folder(self._config))
            writes.append(FileWrite(study.lock, dump_lock(lock), study.replaces))
        if not problems:
            problems += self._flush(writes)
        else:
            problems += [
                f"{format_path(self._config, write.path)}: not written either" for write in writes
            ]
        self.lines += [(problem, False) for problem in problems]
        if problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _flush(self, writes: Sequence[FileWrite]) -> list[str]:
        changed = [write for write in writes if _text(write.path) != write.text]
        folder = mipro_folder(self._config)
        try:
            if changed:
                ensure_private_folder(folder)
                flush(changed, folder)
        except (MiproError, OSError) as error:
            return [f"not written: {error}"]
        self.written = tuple(write.path for write in changed)
        for write in writes:
            count = write.text.count('\n    {"digest"')
            said = f"wrote {format_path(self._config, write.path)}: the scores of {count:,} cases"
            same = f"{format_path(self._config, write.path)} is up to date"
            self.lines.append((said if write in changed else same, True))
        return []


def unmeasured(study: ObservedStudy, verdicts: Sequence[Verdict]) -> str:
    """Return why the study's scores can't be locked, "" where each case was measured."""
    results = [result for verdict in verdicts for result in verdict.results]
    broken = sum(bool(result.outcome.error or result.outcome.failure) for result in results)
    if broken:
        return f"{broken} of {len(results)} cases had no score"
    if study.partial or len(results) < study.selected:
        return f"{len(results)} of {study.selected} cases ran"
    return ""


def updated_lock(
    old: Lock | None, study: ObservedStudy, verdicts: Iterable[Verdict], root: Path
) -> Lock:
    """Return the lock of what was measured; what only a search knows is taken from the old one.

    Prompts that differ from the locked ones were not confirmed by a holdout.
    """
    prompts = {(module.prompt_path, module.prompt) for module in study.modules}
    known = {(module.prompt_path, module.prompt) for module in old.modules} if old else set()
    return Lock(
        salt=split_salt(old, study.lock, root),
        seed=old.seed if old else 0,
        logical_calls=old.logical_calls if old else 0,
        holdout_uses=old.holdout_uses if old else 0,
        confirmed=old.confirmed if old and prompts <= known else False,
        demo_rows=tuple(study.demo_rows),
        lessons=old.lessons if old else (),
        modules=tuple(study.modules),
        cases=tuple(
            _case(verdict.plan.name, result) for verdict in verdicts for result in verdict.results
        ),
    )


def _case(test: str, result: CaseResult) -> LockedCase:
    return LockedCase(result.id, test, result.row, result.digest, result.score)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
