"""Read JSON strictly: no key twice, no NaN or infinity; and check the fields of its objects."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

FieldRule = tuple[Callable[[Any], bool], str]
"""A check of a value, and the description of the values that pass it."""


MAX_DIGITS = 300
"""How many digits a whole number may have: it still fits into a float."""


class NotFiniteError(ValueError):
    """A number that is not finite, which JSON does not have."""


def load_json(text: str, *, repeated_keys: bool = False) -> Any:
    """Return the JSON value of a text; of a key that is repeated, the last value if allowed.

    Raises ValueError in a few words: json.JSONDecodeError for what is no JSON, NotFiniteError for
    NaN, infinities and fractions beyond a float's range.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=None if repeated_keys else _distinct,
            parse_constant=_not_finite,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


# Characters that editors, terminals or diffs take for line ends, or that UTF-8 can't hold.
_UNSAFE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def escape_unsafe(json_text: str) -> str:
    """Return the JSON text with invisible characters and halves of surrogate pairs as escapes."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice!r:.60} appears twice")
    return data


def _bounded(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"the number {digits:.20}… has more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _not_finite(digits)


def _not_finite(name: str) -> float:
    raise NotFiniteError(f"{name:.20} is not a finite number")


class FieldProblem(NamedTuple):
    """A wrong field: its key, and what is wrong in one line."""

    key: str
    text: str


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


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
