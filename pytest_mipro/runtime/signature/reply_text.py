"""Strip what models put around an answer: fences, quotes, a closing period."""

from __future__ import annotations

import re

_FENCE = re.compile(r"\A```[\w-]*[ \t]*\r?\n(.*?)\r?\n?```\Z", re.DOTALL)
_FENCES = re.compile(r"^```[\w-]*[ \t]*\r?\n(.*?)^```[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_AROUND = " \t\r\n\"'`*"


def unfenced(text: str) -> str:
    """Return the content of a Markdown fence around the whole text, or the text itself."""
    match = _FENCE.match(text.strip())
    return match.group(1) if match else text


def single_fence(text: str) -> str | None:
    """Return the content of the only fenced block; None unless there is exactly one."""
    blocks = _FENCES.findall(text)
    return str(blocks[0]) if len(blocks) == 1 else None


def bare(text: str) -> str:
    """Return a short answer without quotes, emphasis and a closing period."""
    return text.strip(_AROUND).removesuffix(".").strip(_AROUND)


def label_key(text: str) -> str:
    """Return the text by which labels are compared: bare, without a bullet, case-folded."""
    return bare(text.strip().removeprefix("- ")).casefold()


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
