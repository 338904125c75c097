"""Markdown for GitHub and GitLab: foreign text without a meaning in it, tables, what unfolds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

# All other ASCII punctuation may mean something to some Markdown: links, tables, mentions, maths.
_JOINER = "&#8288;"  # no width, no break
_HARMLESS = frozenset(" ,;()'\"-=/?%")


class Words:
    """Writes foreign text for GitHub and GitLab; `redact` has seen all of it."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def code(self, text: str, limit: int = 160) -> str:
        """Return the text as one line of code of at most `limit` characters, "" where it is empty.

        Mentions and references to issues are not looked for within code; everything that could be
        Markdown or HTML is a character reference, which has no meaning but the character.
        """
        line = self._line(text, limit)
        return f"<code>{''.join(map(_reference, line))}</code>" if line else ""

    def prose(self, text: str, limit: int = 400) -> str:
        """Return a sentence of ours, which may quote foreign words, as text that means nothing.

        Outside of code the sign of a mention or an issue is parted from its word, unseen.
        """
        return "".join(
            f"{_reference(character)}{_JOINER if character in '@#' else ''}"
            for character in self._line(text, limit)
        )

    def verbatim(self, text: str, limit: int = 300) -> str:
        """Return the text as a line of a fenced block, where nothing has a meaning but its end."""
        text = "".join(
            char if char.isprintable() else "\ufffd" for char in self._redact(text).expandtabs()
        )
        return text if len(text) <= limit else f"{text[: limit - 1]}…"

    def _line(self, text: str, limit: int) -> str:
        line = " ".join(self._redact(text).split())
        line = "".join(character if character.isprintable() else "\ufffd" for character in line)
        return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _reference(character: str) -> str:
    harmless = character.isalnum() or character in _HARMLESS or not character.isascii()
    return character if harmless else f"&#{ord(character)};"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; the cells are Markdown already."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def details(summary: str, lines: Sequence[str]) -> list[str]:
    """Return lines that the reader unfolds; the summary is HTML already."""
    return ["", f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"]


def within(lines: Iterable[str], room: int) -> Iterator[str]:
    """Yield the first lines that have so many characters together."""
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line
