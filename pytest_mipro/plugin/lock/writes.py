"""Files to be written: queued as values, flushed once, all of them or none.

Before the first file is touched the whole list goes into a journal; the next pytest run rolls a
journal forward that a crash left behind. A file that changed since the run began is never
overwritten.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.errors import ConfigurationError, UsageError
from pytest_mipro.plugin.lock.lock import SUFFIX
from pytest_mipro.plugin.lock.lock_file import parse_lock
from pytest_mipro.runtime.prompts.prompt_file import parse_prompt
from pytest_mipro.runtime.text.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Sequence

JOURNAL = "pending-writes.json"
_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
_PROMPT_SUFFIXES = frozenset({".yaml", ".yml"})


@dataclass(frozen=True)
class FileWrite:
    """The new text of a file, and the digest of the bytes that it replaces (of none: "")."""

    path: Path
    text: str
    replaces: str


@dataclass(frozen=True)
class RolledForward:
    """What became of an interrupted run's files: written now, or left alone as edited since."""

    written: tuple[Path, ...] = ()
    edited: tuple[Path, ...] = ()


def digest_of(path: Path) -> str:
    """Return 16 hex digits of a file's bytes, "" where there is no file."""
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return ""


def changed(path: Path) -> str:
    """Return the text of the error about a file that changed while the study ran."""
    return (
        f"{path} changed while the study ran; commit or revert that change and run the same "
        "command again"
    )


def flush(writes: Sequence[FileWrite], private_folder: Path) -> None:
    """Write all files under a journal in `private_folder`.

    Raises ConfigurationError, with nothing written, where a file changed since it was read or the
    journal can't be written; and where a file can't be: the journal then stays, and the next run
    goes on.
    """
    for write in writes:
        if digest_of(write.path) != write.replaces:
            raise ConfigurationError(changed(write.path))
    if not writes:
        return
    journal = private_folder / JOURNAL
    absolute = [FileWrite(write.path.resolve(), write.text, write.replaces) for write in writes]
    try:
        atomic_write(journal, json.dumps([asdict(write) for write in absolute], default=str))
    except OSError as error:
        raise ConfigurationError(
            f"{journal} can't be written ({error.strerror or error}), so no other file is; correct "
            "that, and run the same command again"
        ) from None
    for write in absolute:
        try:
            atomic_write(write.path, write.text)
        except OSError as error:
            raise ConfigurationError(
                f"{write.path} can't be written ({error.strerror or error}), other files may be; "
                "correct that, and the next pytest run writes the rest"
            ) from None
    journal.unlink()


def roll_forward(private_folder: Path, root: Path) -> RolledForward:
    """Finish the writes that a crash interrupted.

    A file that is neither the old one nor the new one was edited since, and is left alone. Raises
    ConfigurationError, with nothing written, for a journal that asks for anything but prompt files
    and locks inside `root`, which is no journal of ours; and where a file can't be written.
    """
    journal = private_folder / JOURNAL
    try:
        text = journal.read_text(encoding="utf-8")
    except FileNotFoundError:
        return RolledForward()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{journal}: can't be read ({error}); delete it") from None
    writes = _parsed(text, journal)
    for write in writes:
        _check(write, journal, root)
    written, edited = [], []
    for write in writes:
        found = digest_of(write.path)
        if found == write.replaces:
            _write(write, journal)
            written.append(write.path)
        elif found != _digest(write.text.encode("utf-8")):
            edited.append(write.path)
    with suppress(FileNotFoundError):  # another worker of this run was faster
        journal.unlink()
    return RolledForward(tuple(written), tuple(edited))


def _write(write: FileWrite, journal: Path) -> None:
    try:
        atomic_write(write.path, write.text)
    except OSError as error:
        raise ConfigurationError(
            f"{write.path} can't be written ({error.strerror or error}), to finish what an "
            f"interrupted run began; correct that, or delete {journal} to give it up"
        ) from None


def _parsed(text: str, journal: Path) -> list[FileWrite]:
    try:
        return [_write_of(entry) for entry in json.loads(text)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{journal}: not a journal of pytest-mipro ({type(error).__name__}); delete it"
        ) from None


def _write_of(entry: dict[str, str]) -> FileWrite:
    path, text, replaces = entry["path"], entry["text"], entry["replaces"]
    if not all(isinstance(value, str) for value in (path, text, replaces)):
        raise TypeError("path, text and digest are texts")
    return FileWrite(Path(path), text, replaces)


def _check(write: FileWrite, journal: Path, root: Path) -> None:
    target, inside = write.path.resolve(), root.resolve()
    if not target.is_relative_to(inside):
        raise ConfigurationError(
            f"{journal}: it would write {write.path}, outside {root}; delete it"
        )
    try:
        if _VERSION_CONTROL.intersection(target.relative_to(inside).parts):
            raise ConfigurationError("a file of the version control")
        if target.name.endswith(SUFFIX):
            parse_lock(write.text, target)
        elif target.suffix in _PROMPT_SUFFIXES:  # Python reads some prompts as code
            parse_prompt(write.text, target)
        else:
            raise ConfigurationError("another kind of file")
    except UsageError:
        raise ConfigurationError(
            f"{journal}: what it would write to {write.path} is no prompt file or lock; delete it"
        ) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
