"""Queue each study's changed files; write and show them at the end of the session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path

import pytest

from pytest_mipro.errors import ConfigurationError, MiproError
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.study.case import Study
from pytest_mipro.plugin.collecting.plan import StudyKey
from pytest_mipro.plugin.config.cache_folder import how_to_go_on, ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path, relative_path
from pytest_mipro.plugin.config.printable import PrintableTerminal, unprintable
from pytest_mipro.plugin.config.redaction import redaction
from pytest_mipro.plugin.config.study_files import study_file
from pytest_mipro.plugin.lock.lock_builder import lock_of
from pytest_mipro.plugin.lock.lock_file import Lock, dump_lock, read_lock
from pytest_mipro.plugin.lock.write_journal import FileWrite, changed, file_digest, flush
from pytest_mipro.plugin.optimise.lines.ending import Ending
from pytest_mipro.plugin.optimise.records.refused_finalist import keep_refused, prompt_diff
from pytest_mipro.plugin.optimise.screen.labelled_lines import labelled
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch
from pytest_mipro.plugin.replies.client_stack import replies_path
from pytest_mipro.plugin.report.contents import describe_demand
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import file_text, read_prompt
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.files import ensure_private_folder
from pytest_mipro.runtime.text.number_words import counted

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_SHOWN_LINES = 40


@dataclass(frozen=True)
class _Queued:
    """One study's changes; `partial` ones are shown and not written.

    `before` holds the texts of the prompt files among `writes`, "" where there was no file. `kept`
    is the file of a refused finalist, which is not written, and only shown by `--mipro-diff`.
    """

    before: Mapping[Path, str]
    writes: tuple[FileWrite, ...]
    partial: bool
    kept: Path | None
    ending: Ending


class PendingChanges:
    """The queue of file writes, by study, and the hooks that flush and show it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._diff_only = options_of(config).diff
        self._digests: dict[Path, str] = {}
        self._locks: dict[Path, Lock | None] = {}
        self._owners: dict[Path, str] = {}
        self._queue: dict[str, _Queued] = {}
        self._dropped: set[str] = set()
        self.written: tuple[Path, ...] = ()
        self._failed = ""
        self._running = ""
        self.watch: StudyWatch | None = None
        """The study that runs, or ran last, as it is watched."""
        self._interrupted = False

    def begin(self, key: StudyKey) -> None:
        """Note that a study begins, and what its lock holds now.

        Raises UsageError for a lock that can't be read.
        """
        self._running = key.name
        self._digests[key.lock] = file_digest(key.lock)
        self._locks[key.lock] = read_lock(key.lock)

    def end(self) -> None:
        """Note that the study has ended."""
        self._running = ""

    def claim(self, key: StudyKey, signatures: Iterable[Signature]) -> None:
        """Take the modules for a study, and remember what their prompt files hold now.

        Later, only these bytes may be replaced. Raises ConfigurationError for a module that another
        study optimises too, and then neither writes; and for a file that changed since the prompts
        were read.
        """
        for signature in signatures:
            path = signature.prompt_path
            owner = self._owners.setdefault(path, key.name)
            if owner != key.name:
                self._queue.pop(owner, None)
                self._dropped.add(owner)
                raise ConfigurationError(
                    f"{signature.title} is called by study {owner} and by study "
                    f'{key.name}, and neither is written; join them with study="name", freeze '
                    "the module with optimize=False, or optimise one study at a time"
                )
            self._digests[path] = file_digest(path)
            if path.exists() and read_prompt(path, signature) != committed_prompt(signature):
                raise ConfigurationError(changed(path))

    def _keep_refused(self, study: str, result: StudyResult) -> Path | None:
        """Return the file that a refused finalist is kept in, None where none was refused.

        That of an earlier run is removed.
        """
        kept = study_file(mipro_folder(self._config), "refused", study)
        with suppress(OSError):  # what can't go is no reason to lose a result
            kept.unlink()
        if not result.refused:
            return None
        root = ini_folder(self._config)
        diffs = [
            prompt_diff(relative_path(write.path, root), _text(write.path), write.text)
            for write in self._prompt_writes(result, result.refused)
        ]
        keep_refused(kept, result, diffs, redaction(self._config))
        return kept

    def add(
        self,
        key: StudyKey,
        study: Study,
        ending: Ending,
        *,
        partial: bool,
        fixture_calls: Iterable[ModuleCall] = (),
    ) -> None:
        """Queue the files of an accepted finalist; keep and show those of a refused one."""
        result = ending.result
        kept = self._keep_refused(study.name, result)
        if key.name in self._dropped:
            return
        writes = self._prompt_writes(result, result.prompts or result.refused)
        before = {write.path: _text(write.path) for write in writes}
        if result.prompts:
            seed = options_of(self._config).seed
            before_it = self._locks[key.lock]
            lock = lock_of(study, result, key.lock, seed, before_it, fixture_calls)
            writes.append(FileWrite(key.lock, dump_lock(lock), self._digests[key.lock]))
            ending = replace(ending, recorded=replies_path(key.lock).exists())
        self._queue[key.name] = _Queued(before, tuple(writes), partial, kept, ending)

    def _prompt_writes(
        self, result: StudyResult, prompts: Mapping[Path, Prompt]
    ) -> list[FileWrite]:
        """Return the files of the prompts that differ from the committed ones.

        A variant without a file gets one where the plain prompt, which it followed, is among them.
        """
        now = {**result.committed, **prompts}
        new = {path for path, prompt in now.items() if prompt != result.committed[path]}
        return [
            FileWrite(path, file_text(path, item.name, now[path]), self._digests[path])
            for item in sorted(result.signatures, key=attrgetter("prompt_path"))
            if (path := item.prompt_path) in new
            or (item.plain and item.plain.prompt_path in new and not path.exists())
        ]

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self) -> None:
        """Note that the run was stopped by Ctrl-C or `pytest.exit`."""
        self._interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what is queued, all or nothing."""
        whole = (it for it in self._queue.values() if not it.partial and it.kept is None)
        writes = [write for queued in whole for write in queued.writes]
        if self._diff_only or not writes:
            return
        try:
            folder = mipro_folder(self._config)
            ensure_private_folder(folder)
            flush(writes, folder)
        except (MiproError, OSError) as error:
            self._failed = str(error)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        else:
            self.written = tuple(write.path for write in writes)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the diff of the prompts, and how each study ended."""
        terminal = PrintableTerminal(terminalreporter)
        if terminal.verbosity >= 0 or self._diff_only:
            self._show_all(terminal)
        for queued in self._queue.values():
            self._show_ending(terminal, self._ended(queued))
        for text in self._unwritten():
            terminal.write_line(text, yellow=True)
        if self._failed:
            terminal.write_line(f"not written: {self._failed}", red=True)

    def diff(self, study: str) -> tuple[str, ...]:
        """Return the lines of the diff of a study's prompt files, written or not."""
        return tuple(
            line
            for queued in self._queue.values()
            for write in queued.writes
            if queued.ending.result.study == study and write.path in queued.before
            for line in prompt_diff(
                relative_path(write.path, ini_folder(self._config)),
                queued.before[write.path],
                write.text,
            )
        )

    def _show_all(self, terminal: PrintableTerminal) -> None:
        shown = [
            (write, queued.before[write.path])
            for queued in self._queue.values()
            for write in queued.writes
            if write.path in queued.before and (queued.kept is None or self._diff_only)
        ]
        if shown:
            terminal.write_sep("=", "mipro: changes")
        for write, before in shown:
            self._show(terminal, write, before)

    def _ended(self, queued: _Queued) -> Ending:
        """Return how a study ended, with what came of its files."""
        shown = partial(format_path, self._config)
        written = tuple(shown(write.path) for write in queued.writes if write.path in self.written)
        why, then = "", ""
        if queued.partial:
            why, then = "only part of its cases ran", "the same command for all cases"
        elif self._diff_only:
            why, then = "--mipro-diff", "the same command without --mipro-diff, from the cache"
        elif self._failed:
            why, then = "see below", "put that right, then the same command, from the cache"
        kept = shown(queued.kept) if queued.kept else ""
        if not (queued.partial or queued.ending.better):
            then = ""  # nothing would be written then, either
        return replace(queued.ending, written=written, withheld=why, then=then, kept=kept)

    def _show_ending(self, terminal: PrintableTerminal, ending: Ending) -> None:
        if terminal.verbosity < 0:
            terminal.write_line(ending.line())
            return
        terminal.write_sep("=", f"mipro: {ending.name}")
        proven = ending.better and not describe_demand(ending.result)
        for label, text in ending.lines():
            marked = {"green" if proven else "yellow": True} if label == "decision" else {}
            for line in labelled(label, text, terminal._tw.fullwidth):  # noqa: SLF001 - see screen
                terminal.write_line(line, **marked)

    def _unwritten(self) -> list[str]:
        """Return why some studies came to no end, and what to do."""
        lines = [f"nothing written for {study}: see the error" for study in sorted(self._dropped)]
        if self._interrupted and self._running:
            lines.append(f"interrupted: nothing is written for {self._running}")
            if self.watch is not None:
                lines.append(f"stopped at: {self.watch.line(ended=True)}")
            lines.append(how_to_go_on(options_of(self._config)))
        return lines

    def _show(self, terminal: PrintableTerminal, write: FileWrite, before: str) -> None:
        name = format_path(self._config, write.path)
        lines = prompt_diff(name, before, write.text)
        whole = self._diff_only or terminal.verbosity > 0
        shown = lines if whole else lines[:_SHOWN_LINES]
        for line in shown:
            colour = _COLOURS.get(line[:1])
            terminal.write_line(line, **({colour: True} if colour else {}))
        if len(shown) < len(lines):
            more = len(lines) - len(shown)
            terminal.write_line(f"… {counted(more, 'more line')} (-v shows them)")
        if hidden := unprintable(write.text):
            line = f"{name} holds characters that can't be seen: {', '.join(hidden)}"
            terminal.write_line(line, yellow=True)
        terminal.write_line("")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
