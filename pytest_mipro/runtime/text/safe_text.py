"""The text of what a project raised or gave, also where its `__str__` raises."""

from __future__ import annotations


def text_of(value: object) -> str:
    """Return `str(value)`, or a text that names the type where that can't be had."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever it raises; pytest shows the same
        return f"<{type(value).__name__} without a text: its str() failed>"
