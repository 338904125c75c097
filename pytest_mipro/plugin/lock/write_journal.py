"""Write prompt files and locks, all or none, under a journal that the next run can finish.

The journal holds the whole list before the first file is touched. A file that changed since the
run began is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import TypeAdapter

from pytest_mipro.errors import ConfigurationError, UsageError
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.lock.lock_file import SUFFIX, parse_lock
from pytest_mipro.plugin.lock.prompt_targets import VERSION_CONTROL, work_tree
from pytest_mipro.runtime.prompts.prompt_file import parse_prompt
from pytest_mipro.runtime.text.files import atomic_write

JOURNAL = "pending-writes.json"


@dataclass(frozen=True)
class FileWrite:
    """A file's new text, and the digest of the bytes that it replaces ("" for a new file)."""

    path: Path
    text: str
    replaces: str


class RolledForward(NamedTuple):
    """The files of an interrupted run: those written now, and those left alone as edited since."""

    written: tuple[Path, ...] = ()
    edited: tuple[Path, ...] = ()


def file_digest(path: Path) -> str:
    """Return 16 hex digits of a file's bytes, "" where there is no file."""
    try:
        return _digest(path.read_bytes())
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

    Raises ConfigurationError, with nothing written, where a file changed since it was read or the
    journal can't be written. It also raises where a file can't be written: the journal then stays,
    and the next run finishes it.
    """
    for write in writes:
        if file_digest(write.path) != write.replaces:
            raise ConfigurationError(changed(write.path))
    if not writes:
        return
    journal = private_folder / JOURNAL
    absolute = [FileWrite(write.path.resolve(), write.text, write.replaces) for write in writes]
    _write(
        journal,
        json.dumps([asdict(write) for write in absolute], default=str),
        "so no other file is; correct that, and run the same command again",
    )
    for write in absolute:
        remedy = "other files may be; correct that, and the next pytest run writes the rest"
        _write(write.path, write.text, remedy)
    journal.unlink()


def roll_forward(private_folder: Path, root: Path) -> RolledForward:
    """Finish the writes that a crash interrupted.

    A file that is neither the old one nor the new one was edited since, and is left alone. Raises
    ConfigurationError, with nothing written, for a journal that asks for anything but prompt files
    and locks inside `root`, which can't be ours; and where a file can't be written.
    """
    journal = private_folder / JOURNAL
    try:
        text = journal.read_text(encoding="utf-8")
    except FileNotFoundError:
        return RolledForward()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{journal}: can't be read ({error}); delete it") from None
    try:
        writes = TypeAdapter(list[FileWrite]).validate_json(text)
    except ValueError:
        raise ConfigurationError(f"{journal}: not a journal of pytest-mipro; delete it") from None
    for write in writes:
        _check(write, journal, root)
    written, edited = [], []
    for write in writes:
        found = file_digest(write.path)
        if found == write.replaces:
            remedy = (
                "to finish what an interrupted run began; correct that, or delete "
                f"{journal} to give it up"
            )
            _write(write.path, write.text, remedy)
            written.append(write.path)
        elif found != _digest(write.text.encode("utf-8")):
            edited.append(write.path)
    with suppress(FileNotFoundError):  # another worker of this run was faster
        journal.unlink()
    return RolledForward(tuple(written), tuple(edited))


def _write(path: Path, text: str, remedy: str) -> None:
    try:
        atomic_write(path, text)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(f"{path} can't be written ({reason}), {remedy}") from None


def _check(write: FileWrite, journal: Path, root: Path) -> None:
    target, inside = write.path.resolve(), root.resolve()
    if not target.is_relative_to(inside):
        raise ConfigurationError(
            f"{journal}: it would write {write.path}, outside {root}; delete it"
        )
    try:
        if not set(VERSION_CONTROL).isdisjoint(target.relative_to(inside).parts):
            raise ConfigurationError("a file of the version control")
        if target.name.endswith(SUFFIX):
            parse_lock(write.text, target)
        elif target.suffix in {".yaml", ".yml"}:  # Python reads some prompts as code
            parse_prompt(write.text, target)
        else:
            raise ConfigurationError("another kind of file")
    except UsageError:
        raise ConfigurationError(
            f"{journal}: what it would write to {write.path} is neither a prompt file nor a lock; "
            "delete it"
        ) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class HeaderLines:
    """Shows lines below pytest's count of collected items."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = list(lines)

    @pytest.hookimpl
    def pytest_report_collectionfinish(self) -> list[str]:
        """Return the lines."""
        return self._lines


def finish_interrupted_writes(config: pytest.Config) -> None:
    """Roll an interrupted run's journal forward before any prompt is read; the header says so.

    Nothing is written under `--collect-only` and `--mipro-dry-run`. Raises ConfigurationError for a
    journal that can't be used.
    """
    if config.option.collectonly or options_of(config).dry_run:
        return
    done = roll_forward(mipro_folder(config), work_tree(ini_folder(config)))
    written, edited = (", ".join(format_path(config, path) for path in paths) for paths in done)
    lines = []
    if written:
        lines.append(f"mipro: finished the interrupted writing of {written}")
    if edited:
        lines.append(
            f"mipro: {edited} changed since the writing was interrupted: "
            "left as it is; `pytest --mipro-optimize` measures what is there"
        )
    if lines:
        config.pluginmanager.register(HeaderLines(lines), "mipro-recovery")
