"""Convert Python values to the JSON values that traces, demos and messages hold."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticSerializationError, to_jsonable_python


def to_json(value: Any) -> Any:
    """Return the JSON value of a Python value; sets are sorted, so that the text is stable.

    Dataclasses, enums, pydantic models, dates and paths are dumped as pydantic does; NaN and
    infinities become texts. Raises TypeError for a value without a JSON form.
    """
    try:
        return _json(value)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise TypeError(" ".join(str(error).split()) or type(error).__name__) from error


def _json(value: Any) -> Any:
    if value is None or type(value) in (str, bool, int):  # pydantic refuses lone surrogates
        return value
    if type(value) is float:
        return value if math.isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, (set, frozenset)):
        return sorted((_json(item) for item in value), key=json.dumps)
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    fields = _fields(value)
    if fields is not None:
        return {_key(key): _json(item) for key, item in fields.items()}
    return _json(to_jsonable_python(value))


def _fields(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel) and not isinstance(value, RootModel):
        dumped: dict[str, Any] = sorted_like(value.model_dump(mode="json"), value.model_dump())
        return dumped
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return None


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _key(key: Any) -> str:
    return key if type(key) is str else next(iter(to_jsonable_python({key: None})))


def sorted_like(dumped: Any, python: Any) -> Any:
    """Return pydantic's JSON dump with its sets sorted; the Python dump tells where they are.

    Sets iterate in another order in each process, which would change cache keys and prompt files.
    """
    if isinstance(python, (set, frozenset)) and isinstance(dumped, list):
        return sorted(dumped, key=json.dumps)
    if isinstance(python, dict) and isinstance(dumped, dict) and len(python) == len(dumped):
        return {
            key: sorted_like(item, other)
            for (key, item), other in zip(dumped.items(), python.values(), strict=True)
        }
    if isinstance(python, (list, tuple)) and isinstance(dumped, list):
        if len(python) != len(dumped):  # a user's serializer changed the list
            return dumped
        return [sorted_like(item, other) for item, other in zip(dumped, python, strict=True)]
    return dumped


def to_text(value: Any) -> str:
    """Return the text of a JSON value in a message: a string exactly as it is, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
