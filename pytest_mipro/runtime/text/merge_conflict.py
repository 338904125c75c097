"""Find what git leaves in a file: a merge that was not resolved, or a pointer of Git LFS."""

from __future__ import annotations

CONFLICT = "an unresolved merge conflict"
LFS_POINTER = "a pointer of Git LFS, not the file itself; run `git lfs pull`"
_BEGIN, _MIDDLE, _END, _BASE = "<<<<<<<", "=======", ">>>>>>>", "|||||||"


def is_lfs_pointer(text: str) -> bool:
    """Return whether a file's text is what a checkout without Git LFS has in its place."""
    return text.removeprefix("\ufeff").startswith("version https://git-lfs.github.com/spec/")


def is_marker(line: str) -> bool:
    """Return whether a line begins as a marker: in files whose own lines never do."""
    return line.startswith((_BEGIN, _MIDDLE, _END, _BASE))


def conflict_line(text: str) -> int | None:
    """Return the line where a conflict begins in a text for people; None without one.

    All its markers are needed, in their order: a text may underline a heading with `=======`.
    """
    begun, sides = None, 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(f"{_BEGIN} "):
            begun, sides = number, 1
        elif sides == 1 and line.rstrip() == _MIDDLE:
            sides = 2
        elif sides == 2 and line.startswith(f"{_END} "):
            return begun
    return None
