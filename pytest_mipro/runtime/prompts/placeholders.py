"""Find placeholders such as `{company}` in a text; all other braces stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What looks alike comes first, and is passed over: LaTeX commands, `{{…}}`, an escaped brace.
_PLACEHOLDER = re.compile(
    r"\\[A-Za-z]+(?:\{[^{}\n]*\})+|\{\{[^{}\n]*\}\}|\\\{|\{(?P<name>[A-Za-z_]\w*)\}", re.ASCII
)


def split_text(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the pieces between placeholders, one more than these, and the placeholders' names."""
    pieces, names, start = [], [], 0
    for found in _PLACEHOLDER.finditer(text):
        if found["name"]:
            pieces.append(text[start : found.start()])
            names.append(found["name"])
            start = found.end()
    return (*pieces, text[start:]), tuple(names)


def placeholders_of(text: str) -> tuple[str, ...]:
    """Return the names of a text's placeholders, each once, in order."""
    return tuple(dict.fromkeys(split_text(text)[1]))


def joined(pieces: Sequence[str], names: Sequence[str], values: Mapping[str, str]) -> str:
    """Return the pieces with values between them; a name without one stays in its braces."""
    inserted = [*(values.get(name, f"{{{name}}}") for name in names), ""]
    return "".join(part for pair in zip(pieces, inserted, strict=True) for part in pair)
