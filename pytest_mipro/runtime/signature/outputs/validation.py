"""Validate JSON values as outputs, stricter than pydantic where it would guess."""

from __future__ import annotations

import json
import re
from traceback import walk_tb
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.answers.reply_text import quoted
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.text.strict_json import load_json


def validated(adapter: TypeAdapter[Any], value: Any) -> Any:
    """Return the output of a JSON value; raises OutputParseError with the first thing wrong.

    Unlike pydantic, no number is read from a truth value, at any depth, and none may be infinite.
    """
    try:
        output = _checked(adapter, json.dumps(value))
        dumped = adapter.dump_python(output, mode="json", warnings=False)
        load_json(json.dumps(dumped), repeated_keys=True)  # refuses NaN and infinities
    except ValidationError as error:
        raise OutputParseError(_first(error.errors(include_url=False)[0])) from None
    except ValueError as error:
        raise OutputParseError(str(error)) from None
    _refuse_counted_truth(adapter, value)
    return output


def _checked(adapter: TypeAdapter[Any], text: str) -> Any:
    return adapter.validate_json(text)


def of_validator(error: Exception) -> bool:
    """Return whether a check of the output's type, which is the user's own code, raised it."""
    return any(frame.f_code is _checked.__code__ for frame, _ in walk_tb(error.__traceback__))


def _refuse_counted_truth(adapter: TypeAdapter[Any], value: Any) -> None:
    spelled = _spelled(value)
    if spelled == value:  # it holds no truth value
        return
    try:
        _checked(adapter, json.dumps(spelled))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail.get("input") in ("true", "false") and _wants_number(detail):
                raise OutputParseError(_first(detail)) from None


_NUMBERS = ("int_parsing", "float_parsing", "decimal_parsing", "int_type", "float_type")


def _wants_number(detail: Any) -> bool:
    if detail["type"] in ("literal_error", "enum"):  # "1, 2 or 3" took a truth value for a number
        expected = re.split(r"(?:\.0)?(?:, | or |\Z)", detail["ctx"]["expected"])
        truth, number = {"true": ("True", "1"), "false": ("False", "0")}[detail["input"]]
        return number in expected and truth not in expected
    return detail["type"] in _NUMBERS


def _spelled(value: Any) -> Any:
    """Return the value with its truth values as texts, which pydantic takes for none but a bool."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, list) else value


def _first(detail: Any) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    text = " ".join(detail["msg"].split())
    if detail["type"] in ("literal_error", "enum"):  # pydantic doesn't say which value is wrong
        text = f"{quoted(to_text(detail['input']))} is none of {detail['ctx']['expected']}"
    return f"{place}: {text}" if place else text
