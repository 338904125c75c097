"""Convert Python values to the JSON values that traces, demos and messages hold."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from pytest_mipro.runtime.client.attachments import Attachment


def to_json(value: Any) -> Any:
    """Return the JSON value of a Python value; sets are sorted, so that the text is stable.

    Dataclasses, pydantic models, dates and paths are dumped as pydantic does, members of enums by
    `enum_name`; NaN and infinities become texts. Raises TypeError for a value without a JSON form.
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
    if not isinstance(value, Attachment) and (fields := _fields(value)) is not None:
        return {_key(key): _json(item) for key, item in fields.items()}
    if isinstance(value, Attachment):
        kind = type(value).__name__
        raise TypeError(f"annotate an input that holds it `{kind}` or `list[{kind}]`")
    name = enum_name(value)
    return _json(to_jsonable_python(value)) if name is None else name


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
    if (name := enum_name(key)) is not None:
        return name
    return key if type(key) is str else next(iter(to_jsonable_python({key: None})))


def enum_name(value: Any) -> str | None:
    """Return the name of an enum's member whose value is no text, None for everything else.

    A name says more to a model than a number does.
    """
    if not isinstance(value, enum.Enum) or isinstance(value.value, str):
        return None
    return value.name


def sorted_like(dumped: Any, python: Any) -> Any:
    """Return pydantic's JSON dump with sets sorted and enums named; the Python dump tells which.

    Sets iterate in another order in each process, which would change cache keys and prompt files.
    """
    if (name := enum_name(python)) is not None and dumped == to_jsonable_python(python):
        return name
    if isinstance(python, (set, frozenset)) and isinstance(dumped, list):
        named = any(enum_name(item) is not None for item in python)
        return _json(python) if named else sorted(dumped, key=json.dumps)
    if isinstance(python, dict) and isinstance(dumped, dict) and len(python) == len(dumped):
        return {
            enum_name(name) or key: sorted_like(item, other)
            for (key, item), (name, other) in zip(dumped.items(), python.items(), strict=True)
        }
    if isinstance(python, (list, tuple)) and isinstance(dumped, list):
        if len(python) != len(dumped):  # a user's serializer changed the list
            return dumped
        return [sorted_like(item, other) for item, other in zip(dumped, python, strict=True)]
    return dumped


def to_text(value: Any) -> str:
    """Return the text of a JSON value in a message: a string exactly as it is, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
