"""Find the folder of a named study's files: they stay where they are, whatever is selected."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from _pytest.pathlib import fnmatch_ex

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.lock.lock_file import SUFFIX
from pytest_mipro.plugin.lock.prompt_targets import VERSION_CONTROL
from pytest_mipro.runtime.replies.replies_file import SUFFIX as REPLIES

_FILES = pytest.StashKey[dict[Path, Mapping[str, Sequence[Path]]]]()
CONFIGURATIONS = (
    "pyproject.toml",
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "tox.ini",
    "setup.cfg",
)
"""The files by which a folder may be a project of its own."""
# A folder with one of these is another project, or an environment.
_ELSEWHERE = frozenset({*CONFIGURATIONS, *VERSION_CONTROL, "pyvenv.cfg", "conda-meta"})


def home_of(config: pytest.Config, study: str, tests: Iterable[Path]) -> Path | None:
    """Return the folder that has a lock or replies of the study named so by marks in these files.

    It is in pytest's project, or in one within that has a test file of the study. None where there
    is none yet. Raises UsageError where two folders have some.
    """
    roots = {config.rootpath, *(_project_of(file, config.rootpath) for file in tests)}
    found = [_study_files(config, root) for root in sorted(roots)]
    files = [path for name in _names(study) for known in found for path in known.get(name, ())]
    homes: dict[str, Path] = {}
    for path in sorted(files, key=str):
        if not _is_of_file(path, study):
            homes.setdefault(os.path.realpath(path.parent), path)
    if len(homes) > 1:
        first, second = [relative_path(path, config.rootpath) for path in homes.values()][:2]
        raise UsageError(
            f"study {study!r} has files in two folders, {first} and {second}; keep those of one "
            "folder and delete the others, rename a study that is another one, or name the folder "
            "of a copy in the ini key norecursedirs"
        )
    return next((path.parent for path in homes.values()), None)


def _names(study: str) -> tuple[str, str]:
    return f"{study}{SUFFIX}", f"{study}{REPLIES}"


def _is_of_file(path: Path, study: str) -> bool:
    """Return whether a file belongs to the test file beside it, which has a study by itself."""
    try:
        source = path.with_name(f"{study}.py").read_bytes()
    except OSError:
        return False
    return re.search(rb"\bstudy\s*=", source) is None


def _project_of(file: Path, root: Path) -> Path:
    """Return the folder of the innermost project that a test file is in, at most `root`."""
    for folder in file.parents:
        if folder == root or not folder.is_relative_to(root):
            break
        if any((folder / name).exists() for name in _ELSEWHERE):
            return folder
    return root


def _study_files(config: pytest.Config, root: Path) -> Mapping[str, Sequence[Path]]:
    """Return the locks and replies files of a project, by their names."""
    known = config.stash.setdefault(_FILES, {})
    if root not in known:  # once a run, and only where a mark names a study
        found = defaultdict[str, list[Path]](list)
        for folder, names in _folders(config, root):
            for name in names:
                if name.endswith((SUFFIX, REPLIES)):
                    found[name].append(folder / name)
        known[root] = found
    return known[root]


def _folders(config: pytest.Config, root: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """Yield the folders that pytest searches, with their files, without projects of their own."""
    skipped: Sequence[str] = config.getini("norecursedirs")
    for where, folders, names in os.walk(root):
        here = Path(where)
        if here != root and not _ELSEWHERE.isdisjoint((*folders, *names)):
            folders.clear()
            continue
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and not any(fnmatch_ex(pattern, here / name) for pattern in skipped)
        ]
        yield here, names
