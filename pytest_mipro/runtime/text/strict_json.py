"""Read JSON strictly: no key twice, no NaN, infinity or number that Python can't hold."""

from __future__ import annotations

import json
import math
from typing import Any


class NotFiniteError(ValueError):
    """A number that is not finite, which JSON does not have."""


def load_json(text: str, *, repeated_keys: bool = False) -> Any:
    """Return the JSON value of a text; of a key that is repeated, the last value if allowed.

    Raises ValueError in a few words: json.JSONDecodeError for what is no JSON, NotFiniteError for
    NaN, infinities and numbers beyond a float's range.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=None if repeated_keys else _distinct,
            parse_constant=_not_finite,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.60} appears twice")
    return data


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _not_finite(digits)


def _not_finite(name: str) -> float:
    raise NotFiniteError(f"{name:.20} is not a finite number")
