"""Tell the project's own functions on the stack from those of libraries and of this package."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType


def project_stack(frame: FrameType | None) -> tuple[CodeType, ...]:
    """Return the project's functions on the stack, outermost first, below this package's runner."""
    codes: list[CodeType] = []
    while frame is not None and not (codes and _is_runner(frame.f_code.co_filename)):
        if is_project_file(frame.f_code.co_filename):
            codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(reversed(codes))


_OWN = str(Path(__file__).parents[2]) + os.sep
_STEPS = str(Path(__file__).parents[1] / "steps") + os.sep  # between the project's own functions
_LIBRARIES = tuple(
    folder + os.sep
    for folder in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("scripts"),
        str(Path(sys.prefix) / "lib"),
    }
)


@lru_cache(maxsize=4096)
def is_own_file(filename: str) -> bool:
    """Return whether a source file belongs to this package."""
    return filename.startswith(_OWN)


def _is_runner(filename: str) -> bool:
    return is_own_file(filename) and not filename.startswith(_STEPS)


@lru_cache(maxsize=4096)
def is_project_file(filename: str) -> bool:
    """Return whether a source file belongs neither to a library nor to this package."""
    if not filename or filename.startswith("<") or is_own_file(filename):
        return False
    return not filename.startswith(_LIBRARIES) and "site-packages" not in filename
