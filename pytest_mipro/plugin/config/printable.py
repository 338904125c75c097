"""Make texts of models, tests and endpoints safe to print.

They reach the terminal in diffs, feedback and errors. A control sequence there could clear the
screen, change its title or hide a link; a bidirectional character could show a line in another
order than it is read in; and CI systems obey lines such as `::error::`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Any

# Control, format (bidirectional, zero width), surrogate and line-separator characters.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
# https://docs.github.com/actions/reference/workflow-commands-for-github-actions; Azure Pipelines
# and the older GitHub form find theirs anywhere in a line.
_COMMAND = re.compile(r"^(\s*):(?=:\w)|##(?=\w*\[)", re.MULTILINE)
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "TF_BUILD")


def printable(text: str) -> str:
    r"""Return the text with unprintable characters as escapes (`\x1b`, `\u202e`).

    Line ends and tabs stay. Under CI, commands to it are broken by a space.
    """
    if not text.isprintable():
        text = "".join(map(_escaped, text))
    if any(os.environ.get(name) for name in _CI_VARIABLES):
        text = _COMMAND.sub(lambda found: f"{found[1]}: " if found[1] is not None else "# #", text)
    return text


def unprintable(text: str) -> list[str]:
    """Return the distinct characters of a text that print as escapes, as `U+202E`, in order."""
    found = sorted({char for char in text if _escaped(char) != char})
    return [f"U+{ord(char):04X}" for char in found]


def _escaped(char: str) -> str:
    if char.isprintable() or char in _KEPT or unicodedata.category(char) not in _UNPRINTABLE:
        return char
    return char.encode("unicode_escape").decode("ascii")


class PrintableTerminal:
    """pytest's terminal reporter, for texts from outside: what it writes is printable."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)

    def write(self, text: str, **markup: bool) -> None:
        """Write a text."""
        self._reporter.write(printable(text), **markup)

    def write_line(self, text: str, **markup: bool) -> None:
        """Write a line."""
        self._reporter.write_line(printable(text), **markup)

    def write_sep(self, sep: str, title: str, **markup: bool) -> None:
        """Write a title between separators."""
        self._reporter.write_sep(sep, printable(title), **markup)
