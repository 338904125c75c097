"""What models put around an answer (fences, quotes, a period) and how it is read without it."""

from __future__ import annotations

import re

_FENCE = re.compile(r"\A```[\w-]*[ \t]*\r?\n(.*?)\r?\n?```\Z", re.DOTALL)
_FENCES = re.compile(r"^```[\w-]*[ \t]*\r?\n(.*?)^```[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_AROUND = " \t\r\n\"'`*"


def unfenced(text: str) -> str:
    """Return what a Markdown fence around the whole text holds, or the text itself."""
    match = _FENCE.match(text.strip())
    return match.group(1) if match else text


def single_fence(text: str) -> str | None:
    """Return what the only fenced block of a text holds; None where there is not exactly one."""
    blocks = _FENCES.findall(text)
    return str(blocks[0]) if len(blocks) == 1 else None


def bare(text: str) -> str:
    """Return a short answer without quotes, emphasis and a closing period."""
    return text.strip(_AROUND).removesuffix(".").strip(_AROUND)


def label_key(text: str) -> str:
    """Return by what a label is known again: bare, without a bullet, whatever its case."""
    return bare(text.strip().removeprefix("- ")).casefold()


def shown(text: str, limit: int = 80) -> str:
    """Return the text for an error: quoted, in one line, bounded."""
    return repr(text if len(text) <= limit else text[:limit] + "…")


# What YAML can hold only as an escape: controls, halves of surrogate pairs, non-characters.
_UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\U0010ffff]")


def normalise_instruction(text: str) -> str:
    r"""Return the text as a prompt file can hold it readably.

    Every kind of line end becomes `\n`, trailing spaces and blank lines at both ends go, and so do
    control characters; all else stays. Applying it twice changes nothing more. It is applied before
    an instruction is evaluated, so that what is written is what was measured.
    """
    kept = (_UNWRITABLE.sub("", line).rstrip() for line in text.splitlines())
    return "\n".join(kept).strip("\n")
