"""The lines of a lock's text: commas that a merge lost or doubled, and where a problem stands."""

from __future__ import annotations

import json

from pytest_mipro.runtime.text.strict_json import load_json

_ENTRY = ('    {"', '    "')


def with_commas(text: str) -> str:
    """Return the text with a comma behind each entry that another one follows, and behind no last.

    So a merge that keeps the lines of both sides needs no care for commas.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1]):
        entry = line.rstrip().removesuffix(",")
        if line.startswith(_ENTRY) and entry.endswith(("}", '"')):
            last = lines[number + 1].lstrip().startswith(("]", "}"))
            lines[number] = entry if last else f"{entry},"
    return "\n".join(lines)


def line_of_refused(lines: list[str]) -> int:
    """Return the line that strict reading refuses, as for a key twice or a NaN; else 1."""
    keys: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = line.strip().removesuffix(",")
        key = line.partition(":")[0]
        if line.startswith('  "') and key in keys:
            return number
        keys.add(key)
        try:
            load_json(f"[{text}]" if text.startswith("{") else f"{{{text}}}")
        except json.JSONDecodeError:
            continue
        except ValueError:
            return number
    return 1


def line_of_key(lines: list[str], key: str, index: int = -1) -> int | None:
    """Return the line of a top-level key, or of an entry of its list."""
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(f'"{key}"'):
            return number + index + 1
    return None
