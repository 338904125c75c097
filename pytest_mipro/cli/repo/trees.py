"""Where files are read from: the work tree, a commit, a wheel. Paths have `/`, from the root."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import AnyStr, Protocol

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.collecting.study_home import CONFIGURATIONS
from pytest_mipro.plugin.lock.prompt_targets import VERSION_CONTROL
from pytest_mipro.runtime.text.files import read_bytes
from pytest_mipro.runtime.text.redaction import one_line

_NO_SOURCES = frozenset({"node_modules", "site-packages", "__pycache__", "build", "dist"})
_LINK = "120000"  # its mode in git
_DATA = re.compile(r"^[^/]+\.data/(?:purelib|platlib)/")


class Tree(Protocol):
    """Files to read; `name` says in messages where they are from."""

    name: str

    def paths(self, suffix: str, *holding: str) -> list[str]:
        """Return the paths that end in `suffix`, sorted, of files that hold one of the texts."""
        ...

    def read(self, path: str) -> str | None:
        """Return a file's text, None where it is not there.

        Raises ConfigurationError for one that can't be read.
        """
        ...


def project_root(start: Path) -> Path:
    """Return the nearest folder above with a configuration or version control, else `start`."""
    for folder in (start, *start.parents):
        if any((folder / name).exists() for name in (*CONFIGURATIONS, *VERSION_CONTROL)):
            return folder
    return start


class Folder:
    """The work tree, without hidden folders, environments and what was built."""

    name = "the work tree"

    def __init__(self, root: Path) -> None:
        self.root = root

    def paths(self, suffix: str, *holding: str) -> list[str]:
        """Return the paths of files; see `Tree`."""
        found = sorted(path for path in self._paths if path.endswith(suffix))
        texts = [text.encode() for text in holding]
        return [it for it in found if not texts or _holds_one(self._bytes(it), texts)]

    def read(self, path: str) -> str | None:
        """Return a file's text; see `Tree`."""
        try:
            content = read_bytes(self.root / path)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # or no path at all
            return None
        except OSError as error:
            raise ConfigurationError(f"{path}: can't be read ({error.strerror})") from None
        return _decoded(content, path)

    def _bytes(self, path: str) -> bytes:
        try:
            return read_bytes(self.root / path)
        except OSError:  # a link to nothing, a pipe
            return b""

    @cached_property
    def _paths(self) -> list[str]:
        return list(self._walk())

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            here = Path(folder)
            folders[:] = [
                name
                for name in folders
                if not _is_no_source(name) and not _is_environment(here / name)
            ]
            yield from ((here / name).relative_to(self.root).as_posix() for name in files)


def _is_environment(folder: Path) -> bool:
    """Return whether packages are installed there, as far as the folder can be looked into."""
    return os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110 - `Path.exists` raises


class Revision:
    """A commit of the work tree's git repository, seen from `root`; links are followed."""

    def __init__(self, root: Path, revision: str) -> None:
        self.name = revision
        self._root = root
        wanted = f"{revision}^{{commit}}"
        found = self._git("rev-parse", "--verify", "--end-of-options", wanted)
        self._commit = found.decode().strip()
        self._above = self._git("rev-parse", "--show-prefix").decode("utf-8", "replace").strip("\n")
        listing = self._git("ls-tree", "-r", "-z", "--full-tree", self._commit)
        entries = [entry.partition("\t") for entry in _names(listing)]
        blobs = [(head.split(), path) for head, _, path in entries if " blob " in head]
        self._blobs = {path: name for (mode, _, name), path in blobs if mode != _LINK}
        self._links = {path for (mode, _, _), path in blobs if mode == _LINK}

    def paths(self, suffix: str, *holding: str) -> list[str]:
        """Return the paths of files; see `Tree`."""
        if holding:
            texts = [part for text in holding for part in ("-e", text)]
            # What the user's configuration could change of the answer is said.
            always = ("-c", "grep.fullName=true", "grep", "-l", "-z", "-F", "--no-color")
            grep = (*always, *texts, self._commit, "--", f"*{suffix}")
            listed = _names(self._git(*grep, accepted=(0, 1)))
            found = [path.removeprefix(f"{self._commit}:") for path in listed]
            sought = [text.encode() for text in holding]  # git looks at where a link leads
            links = (it for it in self._links if it.endswith(suffix) and it.startswith(self._above))
            found += [it for it in links if _holds_one(self._content(it) or b"", sought)]
        else:
            found = [path for path in (*self._blobs, *self._links) if path.endswith(suffix)]
        below = (it.removeprefix(self._above) for it in found if it.startswith(self._above))
        return sorted(it for it in below if not any(map(_is_no_source, it.split("/")[:-1])))

    def read(self, path: str) -> str | None:
        """Return a file's text; see `Tree`."""
        content = self._content(posixpath.normpath(f"{self._above}{path}"))
        return None if content is None else _decoded(content, f"{self.name}:{path}")

    def _content(self, path: str) -> bytes | None:
        if path in self._blobs:  # by the blob's name: the path may be of any encoding
            return self._git("cat-file", "blob", self._blobs[path])
        if not self._links or path.startswith("../"):
            return None
        asked = f"{self._commit}:{path}\n".encode("utf-8", "replace")
        told = self._git("cat-file", "--batch", "--follow-symlinks", given=asked)
        head, _, content = told.partition(b"\n")
        words = head.split()
        return content[: int(words[2])] if len(words) == 3 and words[1] == b"blob" else None

    def _git(self, *command: str, accepted: tuple[int, ...] = (0,), given: bytes = b"") -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - no shell; a revision can't be taken for an option
                ["git", *command],  # noqa: S607 - the user's own
                cwd=self._root,
                input=given,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise ConfigurationError(f"git can't be run ({error.strerror}); install it") from None
        if done.returncode not in accepted:
            said = one_line(done.stderr.decode("utf-8", "replace"), 200)
            raise ConfigurationError(
                f"{self.name!r} can't be read with git ({said}); give a commit, a branch or a tag "
                "that this clone has (a shallow one in CI gets more by `git fetch --unshallow`)"
            )
        return done.stdout


class Wheel:
    """A built wheel; its paths are those of the installed files."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = {_DATA.sub("", name): name for name in archive.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(
                f"{path}: is no wheel that can be read ({reason}); build one, as with "
                "`python -m build --wheel`"
            ) from None
        self._path = path

    def paths(self, suffix: str, *holding: str) -> list[str]:
        """Return the paths of files; see `Tree`."""
        found = sorted(path for path in self._members if path.endswith(suffix))
        return [it for it in found if not holding or _holds_one(self.read(it) or "", holding)]

    def read(self, path: str) -> str | None:
        """Return a file's text; see `Tree`."""
        if path not in self._members:
            return None
        try:
            with zipfile.ZipFile(self._path) as archive:
                content = archive.read(self._members[path])
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise ConfigurationError(f"{self.name}: {path} can't be read ({error})") from None
        return _decoded(content, f"{self.name}:{path}")


def _is_no_source(folder: str) -> bool:
    return folder.startswith(".") or folder in _NO_SOURCES


def _names(listed: bytes) -> list[str]:
    return [name for name in listed.decode("utf-8", "replace").split("\0") if name]


def _holds_one(content: AnyStr, texts: Iterable[AnyStr]) -> bool:
    return any(text in content for text in texts)


def _decoded(content: bytes, shown: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{shown}:{line}: not UTF-8 ({error.reason}); save it as UTF-8"
        ) from None
