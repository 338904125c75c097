"""Format paths for people: relative, with `/`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def relative_path(path: Path, root: Path) -> str:
    """Return the path as seen from `root`, with `/`."""
    return os.path.relpath(path, root).replace(os.sep, "/")


def format_path(config: pytest.Config, path: Path) -> str:
    """Return the path as a user types it, with `/`.

    It is relative to the current folder where it lies below it or in the project, else absolute.
    """
    here, root = config.invocation_params.dir, config.rootpath
    near = path.is_relative_to(root) and here.anchor == root.anchor  # no way leads to another drive
    if path.is_relative_to(here) or near:
        return relative_path(path, here)
    return path.as_posix()
