"""The files of a reply cache: recognise its folder, measure it, delete its files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The database with its journals, and damaged ones that were set aside.
_DATABASE = re.compile(r"cache\.db(\.corrupt-\d+)?(-wal|-shm|-journal)?")
# Not deleted: one is locked by processes that open the cache, the other is git's.
_BESIDE = frozenset({"cache.db.opening", ".gitignore"})


def is_cache_folder(folder: Path) -> bool:
    """Return whether the folder is missing, empty or a reply cache without foreign files."""
    try:
        with os.scandir(folder) as entries:
            return all(_DATABASE.fullmatch(each.name) or each.name in _BESIDE for each in entries)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def cache_bytes(folder: Path) -> int:
    """Return the size of the cache's files, 0 if there is no cache."""
    return sum(entry.stat(follow_symlinks=False).st_size for entry in _files(folder))


def clear_cache(folder: Path) -> int:
    """Delete the cache's files, damaged ones too, and return how many bytes they had.

    Nothing else is deleted, neither in the folder nor where a link leads. A process that uses the
    cache meanwhile goes on in an empty one. Raises CacheError where a file can't be deleted.
    """
    freed = 0
    try:
        for entry in list(_files(folder)):
            freed += entry.stat(follow_symlinks=False).st_size
            Path(entry.path).unlink(missing_ok=True)
    except OSError as error:
        raise CacheError(
            f"{folder}: the reply cache can't be cleared: {error.strerror or error}; delete it"
        ) from error
    return freed


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _DATABASE.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
                    yield entry
    except OSError:  # no cache, or none that can be read
        return
