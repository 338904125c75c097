"""Write prompt files and locks, all or none, under a journal that the next run can finish.

The journal holds the whole list before the first file is touched. A file that changed since the
run began is never overwritten. Each run has a journal of its own, and only the process that holds
the folder's lock writes or finishes one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import TypeAdapter

from pytest_mipro.errors import ConfigurationError, UsageError
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.printable import printable
from pytest_mipro.plugin.lock.lock_file import SUFFIX, parse_lock
from pytest_mipro.plugin.lock.prompt_targets import check_private_folder, is_inside, work_tree
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES, holds_demos, parse_prompt
from pytest_mipro.runtime.text.files import atomic_write, file_lock, read_bytes, read_text

JOURNALS = "pending-writes*.json"
_LOCK = "pending-writes.lock"
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class FileWrite:
    """A file's new text, and the digest of the bytes that it replaces ("" for a new file)."""

    path: Path
    text: str
    replaces: str


class RolledForward(NamedTuple):
    """What became of interrupted writes.

    The files written now, those left alone as edited since, and a line for each journal that was
    put aside because it can't be this package's.
    """

    written: tuple[Path, ...] = ()
    edited: tuple[Path, ...] = ()
    put_aside: tuple[str, ...] = ()


def file_digest(path: Path) -> str:
    """Return 16 hex digits of a file's bytes, "" where there is no file."""
    try:
        return _digest(read_bytes(path))
    except FileNotFoundError:
        return ""


def changed(path: Path) -> str:
    """Return the error text for a file that changed during the study."""
    return (
        f"{path} changed while the study ran; commit or revert that change and run the same "
        "command again"
    )


def flush(writes: Sequence[FileWrite], private_folder: Path) -> None:
    """Write all files under a journal in `private_folder`.

    Raises ConfigurationError, with nothing written, where a file changed since it was read, a text
    is no Unicode or the journal can't be written. It also raises where a file can't be written, or
    Ctrl-C comes meanwhile: a journal then stays, and the next run finishes it.
    """
    if not writes:
        return
    # Sorted by name, journals are in the order in which they were written.
    name = JOURNALS.replace("*", f"-{time.time_ns():020}-{secrets.token_hex(4)}")
    journal = private_folder / name
    try:
        with _writing_alone(private_folder):
            for write in writes:
                _check_unchanged(write)
            _write_all(writes, journal)
    except KeyboardInterrupt:
        raise ConfigurationError(
            "Ctrl-C came while files were written; the next pytest run writes the rest"
            if journal.exists()
            else "Ctrl-C came before files were written; run the same command again"
        ) from None


def _check_unchanged(write: FileWrite) -> None:
    if file_digest(write.path) != write.replaces:
        raise ConfigurationError(changed(write.path))
    if not _is_unicode(write.text):
        raise ConfigurationError(
            f"{write.path}: its text holds half of a surrogate pair, so no file is "
            "written; remove it from the cases"
        )


def _write_all(writes: Sequence[FileWrite], journal: Path) -> None:
    absolute = [FileWrite(write.path.resolve(), write.text, write.replaces) for write in writes]
    _write(
        journal,
        json.dumps([asdict(write) for write in absolute], default=str),
        "so no other file is; correct that, and run the same command again",
    )
    for write in absolute:
        remedy = "other files may be; correct that, and the next pytest run writes the rest"
        _write(write.path, write.text, remedy, drafts=journal.parent)
    journal.unlink(missing_ok=True)


def roll_forward(private_folder: Path, root: Path) -> RolledForward:
    """Finish the writes that a crash interrupted, once another run that is writing has ended.

    A file that is neither the old one nor the new one was edited since, and is left alone. A
    journal that can't be read, or asks for anything but prompt files and locks inside `root`, can't
    be ours: it is put aside, and writes nothing. Raises ConfigurationError where a file can't be
    written.
    """
    if not any(private_folder.glob(JOURNALS)):
        return RolledForward()
    written: list[Path] = []
    edited: list[Path] = []
    put_aside: list[str] = []
    with _writing_alone(private_folder):
        for journal in sorted(private_folder.glob(JOURNALS)):
            try:
                writes = _read(journal, root)
            except _UnusableError as problem:
                aside = journal.with_suffix(".unusable")
                journal.replace(aside)
                put_aside.append(f"{journal}: {problem}; kept as {aside.name}, nothing written")
                continue
            for write in writes:
                found = file_digest(write.path)
                if found == write.replaces:
                    remedy = (
                        "to finish what an interrupted run began; correct that, or delete "
                        f"{journal} to give it up"
                    )
                    _write(write.path, write.text, remedy, drafts=private_folder)
                    written.append(write.path)
                elif found != _digest(write.text.encode("utf-8")):
                    edited.append(write.path)
            journal.unlink(missing_ok=True)
    return RolledForward(tuple(written), tuple(edited), tuple(put_aside))


def _writing_alone(private_folder: Path) -> AbstractContextManager[None]:
    return file_lock(private_folder / _LOCK, _LOCK_SECONDS)


def _write(path: Path, text: str, remedy: str, drafts: Path | None = None) -> None:
    try:
        atomic_write(path, text, drafts)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(f"{path} can't be written ({reason}), {remedy}") from None


class _UnusableError(Exception):
    """Why a journal can't be this package's, in one line."""


def _read(journal: Path, root: Path) -> list[FileWrite]:
    try:
        text = read_text(journal)
        writes = TypeAdapter(list[FileWrite]).validate_json(text)
        for write in writes:
            _check(write, root)
    except OSError as error:
        raise _UnusableError(f"can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):  # a path may hold a NUL
        raise _UnusableError("not a journal of pytest-mipro") from None
    return writes


def _check(write: FileWrite, root: Path) -> None:
    target = write.path.resolve()
    if not is_inside(target, root.resolve()):
        raise _UnusableError(f"it would write {write.path}, outside {root}")
    try:
        if not _is_unicode(write.text):
            raise ConfigurationError("half of a surrogate pair")
        if target.name.endswith(SUFFIX):
            parse_lock(write.text, target)
        elif target.suffix in PROMPT_SUFFIXES and (holds_demos(target) or target.is_file()):
            parse_prompt(write.text, target)  # Python reads some prompts as code
        else:
            raise ConfigurationError("another kind of file")
    except UsageError:
        raise _UnusableError(
            f"what it would write to {write.path} is neither a prompt file nor a lock"
        ) from None


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class HeaderLines:
    """Shows lines below pytest's count of collected items."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [printable(line) for line in lines]

    @pytest.hookimpl
    def pytest_report_collectionfinish(self) -> list[str]:
        """Return the lines."""
        return self._lines


def finish_interrupted_writes(config: pytest.Config) -> None:
    """Check the private folder, and roll interrupted runs' journals forward; the header says so.

    Nothing is written under `--collect-only` and `--mipro-dry-run`. Raises ConfigurationError where
    a file can't be written.
    """
    check_private_folder(mipro_folder(config), ini_folder(config))
    if config.option.collectonly or options_of(config).dry_run:
        return
    try:
        done = roll_forward(mipro_folder(config), work_tree(ini_folder(config)))
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(
            f"{mipro_folder(config)}: an interrupted run's writes can't be finished: {reason}"
        ) from None
    written, edited = (
        ", ".join(format_path(config, path) for path in paths)
        for paths in (done.written, done.edited)
    )
    lines = [f"mipro: {line}" for line in done.put_aside]
    if written:
        lines.append(f"mipro: finished the interrupted writing of {written}")
    if edited:
        lines.append(
            f"mipro: {edited} changed since the writing was interrupted: "
            "left as it is; `pytest --mipro-optimize` measures what is there"
        )
    if lines:
        config.pluginmanager.register(HeaderLines(lines), "mipro-recovery")
