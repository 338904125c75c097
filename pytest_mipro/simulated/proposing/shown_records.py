"""Reads examples that a request shows as JSON records: lists of objects, or one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_mipro.simulated.formats.task import Fields

_START = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)
_PART = re.compile(
    r"(?:generated |expected |model )?(inputs?|outputs?|feedback|score)", re.IGNORECASE
)
Record = Mapping[str, Any]


def records(text: str) -> list[Record]:
    """Return the JSON objects that begin at the start of a line, those of lists one by one."""
    found: list[Record] = []
    at = 0
    while start := _START.search(text, at):
        at = start.end() + 1
        try:
            value, length = json.JSONDecoder().raw_decode(text[start.end() :])
        except ValueError:
            continue
        at = start.end() + length
        found += [one for one in (value if isinstance(value, list) else [value]) if one]
    return [one for one in found if isinstance(one, Mapping)]


def part(record: Record, name: str) -> Any:
    """Return the record's `input`, `output`, `feedback` or `score` under any usual key, or None."""
    for key, value in record.items():
        match = _PART.fullmatch(key)
        if match and match.group(1).lower().rstrip("s") == name:
            return value
    return None


def fields(value: Any) -> Fields:
    """Return the fields of a value: those of an object, else one that is named `input`."""
    if isinstance(value, Mapping):
        return tuple(_spoken(value))
    return (("input", text_of(value)),)


def text_of(value: Any) -> str:
    """Return a value as text; an object with a single field is the value of that field."""
    if isinstance(value, Mapping) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _spoken(record: Record) -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
