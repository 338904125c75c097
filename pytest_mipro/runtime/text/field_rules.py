"""Check the fields of JSON objects: of locks, recorded replies and the cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

FieldRule = tuple["Callable[[Any], bool]", str]
"""A check of a value, and the description of the values that pass it."""


class FieldProblem(NamedTuple):
    """A wrong field: its key, and what is wrong in one line."""

    key: str
    text: str


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


TEXT: FieldRule = (lambda value: isinstance(value, str), "a text")
COUNT: FieldRule = (_is_count, "a whole number from 0 on")
NUMBER: FieldRule = (_is_number, "a number from 0 on")
COST: FieldRule = (lambda value: value is None or _is_number(value), "a number from 0 on, or null")
OBJECT: FieldRule = (lambda value: isinstance(value, dict), "an object")


def field_problem(data: Mapping[str, Any], rules: Mapping[str, FieldRule]) -> FieldProblem | None:
    """Return the first field that is unknown, missing or of a wrong value; None if none is."""
    for key in data:
        if key not in rules:
            return FieldProblem(key, f"unknown key {key!r:.60}")
    for key, (fits, wanted) in rules.items():
        if key not in data:
            return FieldProblem(key, f"the key {key!r} is missing")
        if not fits(data[key]):
            return FieldProblem(key, f"{key!r} must be {wanted}, not {data[key]!r:.60}")
    return None
