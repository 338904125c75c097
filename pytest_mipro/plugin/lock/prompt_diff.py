"""What would change in a prompt file, as a unified diff with colours."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def diff_lines(name: str, before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield the diff as (line, colour); the colour is "" for lines that stay."""
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        f"a/{name}" if before else "/dev/null",
        f"b/{name}",
        lineterm="",
    )
    for line in lines:
        yield line, _COLOURS.get(line[:1], "")
