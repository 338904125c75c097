"""Paths in what a run prints: relative to the current folder, as pytest shows those of tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def shown_path(config: pytest.Config, path: Path) -> str:
    """Return the path as a user types it, with `/`.

    It is relative to the current folder where it lies below it or in the project, else absolute.
    """
    here, root = config.invocation_params.dir, config.rootpath
    near = path.is_relative_to(root) and here.anchor == root.anchor  # no way leads to another drive
    if path.is_relative_to(here) or near:
        return os.path.relpath(path, here).replace(os.sep, "/")
    return path.as_posix()
