"""Reads the shape of a JSON value, as a request shows it, back into a JSON schema."""

from __future__ import annotations

import json
import re
from typing import Any

Schema = dict[str, Any]

_DEFINED = re.compile(r"<([\w.-]+)> is (.*)")
_NOTE = re.compile(r"- `([^`]*)`: (.*)")
_LEFT_OUT = re.compile(r"What may be left out: (.*)")
_SIZE = re.compile(r" ?(?:(at least|at most) )?(\d+)?(?: to (\d+))?( ?different)? ?items\b")
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_BOUNDS = {
    "minimum": re.compile(rf"(?:from|of at least) {_NUMBER}"),
    "maximum": re.compile(rf"(?:to|of at most) {_NUMBER}"),
    "exclusiveMinimum": re.compile(rf"above {_NUMBER}"),
    "exclusiveMaximum": re.compile(rf"below {_NUMBER}"),
    "multipleOf": re.compile(rf"in steps of {_NUMBER}"),
}
_LENGTH = re.compile(r"of (?:(at least|at most) )?(\d+)(?: to (\d+))? characters")
_PATTERN = re.compile(r"that matches (.*)\Z")
_FORMATS = {
    "date as": "date",
    "date and time": "date-time",
    "time as": "time",
    "duration": "duration",
    "e-mail": "email",
    "URL": "uri",
    "UUID": "uuid",
}
_PLAIN: dict[str, Schema] = {
    "true or false": {"type": "boolean"},
    "any JSON value": {},
}


def shape_schema(text: str) -> Schema:
    """Return the schema of a shape and of the lines on its fields; {} where it can't be read."""
    first, _, rest = text.partition("\n")
    lines = rest.splitlines()
    left_out = [
        name for line in lines if (match := _LEFT_OUT.match(line)) for name in match[1].split("`")
    ]
    reader = _Reader(frozenset(left_out))
    try:
        schema = reader.read(first, "")
        for line in lines:
            if match := _DEFINED.match(line):
                again = match[2].startswith("such an object")
                source = first if again else match[2]
                reader.defs[match[1]] = reader.read(source, match[1])
                schema = {"$ref": f"#/$defs/{match[1]}"} if again else schema
    except (ValueError, IndexError):
        return {}
    for line in lines:
        if (match := _NOTE.match(line)) and match[1] in reader.places:
            reader.places[match[1]]["description"] = match[2]
    return schema | ({"$defs": reader.defs} if reader.defs else {})


class _Reader:
    """Reads one shape after another; `places` are the schemas by where their values stand."""

    def __init__(self, left_out: frozenset[str]) -> None:
        self.defs: Schema = {}
        self.places: dict[str, Schema] = {}
        self._left_out = left_out
        self._text = ""
        self._at = 0

    def read(self, text: str, place: str) -> Schema:
        """Return the schema of a shape; ValueError or IndexError where it is none."""
        self._text, self._at = text, 0
        return self._value(place)

    def _value(self, place: str) -> Schema:
        options = [self._one(place)]
        while self._takes(" or "):
            options.append(self._one(place))
        flat = [inner for option in options for inner in option.pop("anyOf", [option])]
        schema = flat[0] if len(flat) == 1 else {"anyOf": flat}
        self.places[place] = schema
        return schema

    def _one(self, place: str) -> Schema:
        if self._takes("{"):
            return self._object(place)
        if self._takes("["):
            return self._array(place)
        if self._takes("<"):
            return self._placeholder()
        value = self._json()
        if isinstance(value, str) and value[:1] == "<":
            return _text(value[1:-1])
        return {"type": "null"} if value is None else {"const": value}

    def _object(self, place: str) -> Schema:
        prefix = f"{place}." if place else ""
        properties: Schema = {}
        required = []
        schema: Schema = {"type": "object"}
        while not self._takes("}"):
            self._takes(", ")
            if self._takes("…"):
                continue
            if self._text[self._at : self._at + 2].strip('"')[:1] == "<":
                key = self._value(f"{prefix}*")
                schema["propertyNames"] = key
                self._expect(": ")
                schema["additionalProperties"] = self._value(f"{prefix}*")
                continue
            name = self._json()
            self._expect(": ")
            properties[name] = self._value(f"{prefix}{name}")
            if f"{prefix}{name}" not in self._left_out:
                required.append(name)
        if schema.get("propertyNames", {}) == {"type": "string"}:
            del schema["propertyNames"]
        return schema | ({"properties": properties, "required": required} if properties else {})

    def _array(self, place: str) -> Schema:
        parts = [self._value(f"{place}[]")]
        schema: Schema = {"type": "array"}
        while not self._takes("]"):
            self._expect(", ")
            if not self._takes("…"):
                parts.append(self._value(f"{place}[{len(parts)}]"))
                continue
            schema["items"] = parts[0]
            if size := _SIZE.match(self._text, self._at):
                self._at = size.end()
                schema |= _limits(size[1], size[2], size[3], "Items")
                schema |= {"uniqueItems": True} if size[4] else {}
        return schema if "items" in schema else schema | {"prefixItems": parts}

    def _placeholder(self) -> Schema:
        if self._takes("one of: "):
            values = [self._json()]
            while self._takes(", "):
                values.append(self._json())
            self._expect(">")
            return {"enum": values}
        end = self._text.index(">", self._at)
        words, self._at = self._text[self._at : end], end + 1
        return _scalar(words)

    def _json(self) -> Any:
        value, self._at = json.JSONDecoder().raw_decode(self._text, self._at)
        return value

    def _takes(self, mark: str) -> bool:
        found = self._text.startswith(mark, self._at)
        self._at += len(mark) if found else 0
        return found

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            raise ValueError(f"no {mark!r} at {self._at}")


def _text(words: str) -> Schema:
    values = words.removeprefix("one of: ")
    return _scalar(words) if values == words else {"enum": values.split(", ")}


def _scalar(words: str) -> Schema:
    if words in _PLAIN:
        return dict(_PLAIN[words])
    if words.startswith(("whole number", "number")):
        whole = words.startswith("whole")
        number = int if whole else float
        found = {key: rule.search(words) for key, rule in _BOUNDS.items()}
        limits = {key: number(match[1]) for key, match in found.items() if match}
        return {"type": "integer" if whole else "number"} | limits
    format_ = next((name for start, name in _FORMATS.items() if words.startswith(start)), None)
    if format_ is None and not words.startswith("text"):
        return {"$ref": f"#/$defs/{words}"}
    schema: Schema = {"type": "string"} | ({"format": format_} if format_ else {})
    if length := _LENGTH.search(words):
        schema |= _limits(length[1], length[2], length[3], "Length")
    pattern = _PATTERN.search(words)
    return schema | ({"pattern": pattern[1]} if pattern else {})


def _limits(kind: str | None, one: str | None, two: str | None, what: str) -> Schema:
    if one is None:
        return {}
    if kind is not None:
        return {f"{'min' if kind == 'at least' else 'max'}{what}": int(one)}
    return {f"min{what}": int(one), f"max{what}": int(two or one)}
