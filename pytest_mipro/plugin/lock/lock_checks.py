"""Checks in a lock: short digests of each entry and of the head, which expose careless edits.

They are no signature: who edits a score can compute its check. Each entry has its own, so that two
branches that changed different entries still merge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_mipro.runtime.text.strict_json import escape_unsafe

CHECK = "check"
_FRACTIONS = ("score", "lift", "temperature")


def to_json(value: Any) -> str:
    """Return a JSON value in one line, with sorted keys."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return escape_unsafe(text)


def checked_entry(data: Mapping[str, Any]) -> str:
    """Return an entry in one line, with its check at the end."""
    return f'{to_json(data)[:-1]}, "{CHECK}": "{_digest(data)}"}}'


def check_of_head(data: Mapping[str, Any]) -> str:
    """Return the check of a lock's fields that are no lists of entries."""
    return _digest({name: it for name, it in data.items() if not isinstance(it, (list, tuple))})


def count_edited(data: dict[str, Any], lists: Iterable[str]) -> int:
    """Take the checks out of a lock's data, and return how many don't fit.

    `lists` names the lists of entries. A lock of a release without checks, which has a salt
    instead, counts 0.
    """
    found: list[tuple[Any, tuple[str, ...]]]
    found = [(data.pop(CHECK, None), (check_of_head(data),))]
    values = [data.get(name) for name in lists]
    entries = [entry for value in values if isinstance(value, list) for entry in value]
    found += [(it.pop(CHECK, None), _digests(it)) for it in entries if isinstance(it, dict)]
    if "salt" in data and all(check is None for check, _ in found):
        return 0
    return sum(check not in wanted for check, wanted in found)


def _digests(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the digests of an entry, also as written before a tool made 1 out of 1.0."""
    whole = {name: data[name] for name in _FRACTIONS if type(data.get(name)) is int}
    fractions = {name: float(number) for name, number in whole.items()}
    return (_digest(data), _digest({**data, **fractions})) if whole else (_digest(data),)


def _digest(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(data).encode()).hexdigest()[:8]
