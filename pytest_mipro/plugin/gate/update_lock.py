"""Write the lock from a plain run's own scores, after a hand edit (`--mipro-update-lock`).

Nothing is searched: the run measures whole studies as any gate does, and its scores are locked.
Seed and the count of holdout uses stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mipro.errors import LockError, MiproError, UsageError
from pytest_mipro.optimizer.study.split import digest_of_rows
from pytest_mipro.plugin.collecting.partial_study import is_partial
from pytest_mipro.plugin.collecting.plan import PlannedCase
from pytest_mipro.plugin.config.cache_folder import mipro_folder
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.gate.provenance import StudyProvenance, provenance_of
from pytest_mipro.plugin.gate.state import RunState
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, dump_lock, read_lock
from pytest_mipro.plugin.lock.write_journal import FileWrite, flush
from pytest_mipro.runtime.text.files import ensure_private_folder
from pytest_mipro.runtime.text.number_words import counted

UPDATE_LOCK = "mipro-update-lock"
"""The name that the plugin is registered by."""


def refuse_partial_selection(state: RunState) -> None:
    """Raise UsageError where the run selects part of a study's cases, or nothing to lock."""
    if not state.studies:
        raise UsageError(
            "--mipro-update-lock has nothing to lock: no selected test carries "
            "@pytest.mark.mipro; drop it, or select such a test"
        )
    for study, members in state.studies.items():
        unknown = not study.lock.exists() and _by_node_id(state.config, members)
        if unknown or is_partial(state.config, study, members):
            raise UsageError(
                f"--mipro-update-lock writes the scores of whole studies, and only part of "
                f"{study.name} is selected; drop the selection, or name its files whole"
            )


class UpdateLock:
    """Writes the locks at the session's end, all or none, and reports each in a line.

    Register it in the process that has the verdicts: the controller, where cases are distributed.
    `lines` say what was written and what was not, each with whether it succeeded; `written` are
    the files whose text changed.
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
        if stopped := self._state.stopped:
            problems.append(f"no lock is written: the run did not come to its end: {stopped}")
        for path, study in provenance_of(self._config).items():
            verdicts = [item for item in self._state.verdicts if item.plan.lock == path]
            if problem := unmeasured(study, verdicts):
                problems.append(f"{self._shown(study.lock)}: not written: {problem}")
                continue
            try:
                lock = updated_lock(study, verdicts)
            except LockError as error:  # broken since it was read at collection
                problems.append(f"not written: {error}")
                continue
            writes.append(FileWrite(study.lock, dump_lock(lock), study.replaces))
        if problems:
            problems += [f"{self._shown(write.path)}: not written either" for write in writes]
        else:
            problems += self._flush(writes)
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
            path, count = self._shown(write.path), write.text.count('\n    {"digest"')
            line = f"wrote {path}: the scores of {counted(count, 'case')}"
            self.lines.append((line if write in changed else f"{path} is up to date", True))
        return []

    def _shown(self, path: Path) -> str:
        return format_path(self._config, path)


def _by_node_id(config: pytest.Config, members: Sequence[PlannedCase]) -> bool:
    """Return whether a node id names part of a study's file: others may not even be collected."""
    files = {case.item.path for case in members}
    named = [file for file, inside, _ in (arg.partition("::") for arg in config.args) if inside]
    return any((config.invocation_params.dir / file).resolve() in files for file in named)


def unmeasured(study: StudyProvenance, verdicts: Sequence[Verdict]) -> str:
    """Return why the study's scores can't be locked, "" where each case was measured."""
    results = [result for verdict in verdicts for result in verdict.results]
    broken = sum(bool(result.outcome.error or result.outcome.failure) for result in results)
    if broken:
        return f"{broken} of {counted(len(results), 'case')} had no score"
    if study.partial or len(results) < study.selected:
        return f"{len(results):,} of {counted(study.selected, 'case')} ran"
    return ""


def updated_lock(study: StudyProvenance, verdicts: Sequence[Verdict]) -> Lock:
    """Return the lock of what was measured; what only a search knows is taken from the old one.

    Prompts that differ from the locked ones were not confirmed by a holdout.
    """
    old = read_lock(study.lock) or Lock("", seed=0, logical_calls=0)
    known = {(module.prompt_path, module.prompt) for module in old.modules}
    same = all((module.prompt_path, module.prompt) in known for module in study.modules)
    return replace(
        old,
        confirmed=old.confirmed and same,
        accepted_as=old.accepted_as if same else "",
        holdout=digest_of_rows(row for verdict in verdicts[:1] for row in verdict.held_out),
        demo_rows=tuple(study.demo_rows),
        modules=study.modules,
        cases=tuple(
            LockedCase(result.id, verdict.plan.name, result.row, result.digest, result.score)
            for verdict in verdicts
            for result in verdict.results
        ),
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
