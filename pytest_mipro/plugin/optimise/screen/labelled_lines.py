"""Text behind a label, wrapped: how all that an optimisation says is laid out."""

from __future__ import annotations

from textwrap import wrap

LABEL_WIDTH = 12


def labelled(label: str, text: str, width: int) -> list[str]:
    """Return the lines of a text that stand in `width` columns, the first with the label."""
    lines = wrap(  # a percent sign stays with its number
        text.replace(" %", "\0%"),
        max(1, width - LABEL_WIDTH),
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )
    labels = [label, *("" for _ in lines[1:])]
    return [
        f"{shown:<{LABEL_WIDTH}}{line}".replace("\0", " ")
        for shown, line in zip(labels, lines or [""], strict=True)
    ]
