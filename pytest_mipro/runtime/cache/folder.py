"""The files of a reply cache: recognise its folder, and measure it."""

from __future__ import annotations

import os
import re
from pathlib import Path

# The database with its journals, and damaged ones that were set aside.
_DATABASE = re.compile(r"cache\.db(\.corrupt-\d+)?(-wal|-shm|-journal)?")
# One is locked by processes that open the cache, the other is git's.
_BESIDE = frozenset({"cache.db.opening", ".gitignore"})


def is_cache_folder(folder: Path) -> bool:
    """Return whether the folder is missing, empty or a reply cache without foreign files."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return all(_DATABASE.fullmatch(name) or name in _BESIDE for name in names)


def cache_bytes(folder: Path) -> int:
    """Return the size of the cache's files, 0 if there is no cache."""
    try:
        with os.scandir(folder) as entries:
            return sum(
                entry.stat(follow_symlinks=False).st_size
                for entry in entries
                if _DATABASE.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False)
            )
    except OSError:  # no cache, or none that can be read
        return 0
