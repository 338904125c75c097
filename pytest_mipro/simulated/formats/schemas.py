"""What a JSON schema says of one value: its type, its bounds, the length of its text."""

from __future__ import annotations

import math
import re

from pytest_mipro.simulated.formats.task import Schema

FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "duration": "PT1H",
}


def kind_of(schema: Schema) -> str:
    """Return the JSON type that the schema wants, the first that is not null."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def bounds(schema: Schema, *, whole: bool) -> tuple[float, float]:
    """Return (least, most) value that the schema allows, infinite where it sets none."""
    step = 1 if whole else 1e-6
    least = float(schema.get("minimum", -math.inf))
    most = float(schema.get("maximum", math.inf))
    if "exclusiveMinimum" in schema:
        least = max(least, float(schema["exclusiveMinimum"]) + step)
    if "exclusiveMaximum" in schema:
        most = min(most, float(schema["exclusiveMaximum"]) - step)
    return (
        (math.ceil(least), math.floor(most))
        if whole and math.isfinite(least + most)
        else (least, most)
    )


def fitting(text: str, schema: Schema) -> str:
    """Return the text within the schema's length, cut to its pattern where the text meets it."""
    if "pattern" in schema:
        match = re.search(str(schema["pattern"]).strip("^$"), text)
        text = match.group(0) if match else text
    if "maxLength" in schema:
        text = text[: int(schema["maxLength"])]
    return text.ljust(int(schema.get("minLength", 0)), ".")
