"""Strip what models put around an answer: fences, bullets, quotes, a closing period."""

from __future__ import annotations

import re
import unicodedata

_FENCE = re.compile(
    r"^(`{3,}|~{3,})[\w+-]*[ \t]*\r?\n(.*?)\r?\n?^\1[ \t]*\r?$", re.DOTALL | re.MULTILINE
)
_FENCE_LINE = re.compile(r"^(?:`{3}|~{3})", re.MULTILINE)
_MOST_FENCE_LINES = 100
_PLAIN_FENCE = re.compile(
    r"\A\s*(`{3,}|~{3,})(?:text|txt|plaintext|markdown|md)?[ \t]*\r?\n(.*?)\r?\n?\1\s*\Z",
    re.DOTALL | re.IGNORECASE,
)
_AROUND = " \t\r\n\"'`*_\u201c\u201d\u201e\u2018\u2019«»()[]{}|✅✔→\ufe0f"
_DENYING = "❌❎✖✗✘🚫⛔👎★⭐☆"  # such a sign is no ornament: it denies, or it counts
# Each mark in one way alone: with `->` beside `-` and `>`, or `#` beside `##`, time is exponential.
_LEAD = re.compile(r"\A(?:\s*(?:=?>|#++|[-*•+]|\(?\d{1,3}[.)]))+[ \t]+(?=\S)")

_MOST_LAYERS = 20  # of quotes, punctuation and emoji around an answer


def unfenced(text: str) -> str:
    """Return the content of a fence of plain text around the whole text, or the text itself."""
    match = _PLAIN_FENCE.match(text)
    return match[2] if match and match[1] not in match[2] else text


def only_fence(text: str) -> str | None:
    """Return the content of the only fenced block; None unless there is exactly one."""
    if len(_FENCE_LINE.findall(text)) > _MOST_FENCE_LINES:  # linear, and a fence has two
        return None
    blocks = _FENCE.findall(text)
    return str(blocks[0][1]) if len(blocks) == 1 else None


def bare(text: str) -> str:
    """Return a short answer without bullet, quotes, emphasis, brackets and closing punctuation."""
    text = _LEAD.sub("", text)
    for _ in range(_MOST_LAYERS):
        before = text
        text = text.strip(_AROUND).rstrip(".!,;:。…").strip(_AROUND)
        start, end = _ornaments(text), _ornaments(text[::-1])
        text = text[start : len(text) - end] if start + end < len(text) else text
        if text == before:
            break
    return text


def _ornaments(text: str) -> int:
    """Return how many emoji a text begins with."""
    count = 0
    while text[count : count + 1] not in ("", *_DENYING) and _is_ornament(text[count]):
        count += 1
    return count


def _is_ornament(character: str) -> bool:
    """Return whether it is an emoji or a part of one; an accent is a part of its letter."""
    selects = "\ufe00" <= character <= "\ufe0f"  # which form of the emoji is shown
    return selects or (character > "\x7f" and unicodedata.category(character) in ("So", "Sk", "Cf"))


def quoted(text: str, limit: int = 80) -> str:
    """Return the text for an error: quoted, in one line, bounded."""
    return repr(text if len(text) <= limit else text[:limit] + "…")


# Characters that YAML needs to escape: controls, halves of surrogate pairs, non-characters.
_UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\U0010ffff]")


def normalise_instruction(text: str) -> str:
    r"""Return the text in a form that a prompt file can hold readably.

    Line ends become `\n`; trailing spaces, blank lines at both ends and control characters are
    removed. Idempotent. Instructions are normalised before they are measured, so that the measured
    text is the written one.
    """
    kept = (_UNWRITABLE.sub("", line).rstrip() for line in text.splitlines())
    return "\n".join(kept).strip("\n")
