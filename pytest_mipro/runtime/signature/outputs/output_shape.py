"""Show a JSON schema as the shape of the value: small models copy a schema instead of filling it.

Objects and lists look like JSON, and `<…>` stands for each value. A reply that keeps one is no
answer: `placeholders` names those that could pass for a text.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_TEXTS = {
    "date": "date as YYYY-MM-DD",
    "date-time": "date and time as YYYY-MM-DDThh:mm:ssZ",
    "time": "time as hh:mm:ss",
    "duration": "duration in ISO 8601, as PT1H30M",
    "email": "e-mail address",
    "uri": "URL",
    "uuid": "UUID",
    "binary": "text",
}
_PLAIN = re.compile(r"[^\s,\"](?:[^,\"\n]*[^\s,\"])?")  # a value that is told from those beside it
_QUOTED = re.compile(r'"(<(?:[^"\\]|\\.)*>)"')
_NAMED = ("properties", "items", "prefixItems", "additionalProperties", "anyOf", "oneOf")
_UNUSUAL = ("allOf", "not", "if", "patternProperties", "dependentSchemas")


def shape_text(schema: Schema) -> str:
    """Return the shape of a schema's values, then what its fields mean, a line each.

    An object that appears in several places, or in itself, is shown once under its name.
    """
    shape = _Shape(schema.get("$defs", {}), _several(schema))
    root = {key: schema[key] for key in schema if key != "$defs"}
    lines = [shape.of(root, "")]
    while shape.waiting:
        name = shape.waiting.pop(0)
        lines.append(f"<{name}> is {shape.of(shape.defs[name], name)}")
    if "$ref" in root and len(lines) > 1:  # the whole is an object that appears in itself
        lines[0] = lines.pop(1).partition(" is ")[2]
        lines.insert(1, f"{shape.of(root, '')} is such an object again")
    lines += [f"- `{place}`: {note}" if place else f"- {note}" for place, note in shape.notes]
    if shape.optional:
        lines.append(f"What may be left out: {', '.join(f'`{name}`' for name in shape.optional)}")
    return "\n".join(lines)


def notes_of(schema: Schema) -> list[tuple[str, str]]:
    """Return what is said of the values of a schema, as (place, text); of the whole at place "".

    Of an object that appears in several places it is said at the first one.
    """
    shape = _Shape(schema.get("$defs", {}), _several(schema))
    shape.of({key: schema[key] for key in schema if key != "$defs"}, "")
    while shape.waiting:
        name = shape.waiting.pop(0)
        shape.of(shape.defs[name], shape.first_place[name])
    return shape.notes


def placeholders(shape: str) -> frozenset[str]:
    """Return the texts of a shape that stand for a text."""
    return frozenset(json.loads(f'"{text}"') for text in _QUOTED.findall(shape))


def _several(schema: Schema) -> frozenset[str]:
    """Return the names of the structured definitions that are referred to more than once."""
    counts = Counter(_references(schema))
    defs = schema.get("$defs", {})
    return frozenset(
        name for name, part in defs.items() if counts[name] > 1 and any(k in part for k in _NAMED)
    )


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield _name(part["$ref"])
        for key, inner in part.items():
            if key not in ("default", "examples", "const", "enum", "discriminator"):
                yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


class _Shape:
    """Writes shapes; gathers the notes on them, and the named ones that still have to be shown."""

    def __init__(self, defs: Schema, named: frozenset[str]) -> None:
        self.defs = defs
        self.waiting: list[str] = []
        self.notes: list[tuple[str, str]] = []
        self.optional: list[str] = []
        self._named = named
        self.first_place: dict[str, str] = {}

    def of(self, schema: Schema, place: str) -> str:
        """Return the shape of a schema whose value is at `place`."""
        schema = self._resolved(schema)
        self._note(schema, place)
        if "$ref" in schema:
            return self._reference(_name(schema["$ref"]), place)
        if any(key in schema for key in _UNUSUAL):
            return f"<a value of the JSON schema {_json(schema)}>"
        if values := schema.get("enum") or [schema[key] for key in ("const",) if key in schema]:
            return _one_of(values)
        if options := _options(schema):
            return " or ".join(dict.fromkeys(self.of(option, place) for option in options))
        kind = schema.get("type", "object" if "properties" in schema else None)
        if kind == "object":
            return self._object(schema, place)
        return self._array(schema, place) if kind == "array" else _scalar(kind, schema)

    def _resolved(self, schema: Schema) -> Schema:
        """Return the schema with what it refers to in place, unless that is shown by name."""
        if len(schema.get("allOf", ())) == 1:
            rest = {key: schema[key] for key in schema if key != "allOf"}
            schema = {**schema["allOf"][0], **rest}
        while "$ref" in schema and _name(schema["$ref"]) not in self._named:
            rest = {key: schema[key] for key in schema if key != "$ref"}
            schema = {**self.defs.get(_name(schema["$ref"]), {}), **rest}
        return schema

    def _reference(self, name: str, place: str) -> str:
        if name not in self.first_place:
            self.first_place[name] = place
            self.waiting.append(name)
        return f"<{name}>"

    def _note(self, schema: Schema, place: str) -> None:
        said = " ".join(str(schema.get("description", "")).split())
        if examples := schema.get("examples"):
            said = f"{said} (for example {', '.join(map(_json, examples))})".strip()
        if said and (place, said) not in self.notes:
            self.notes.append((place, said))

    def _object(self, schema: Schema, place: str) -> str:
        prefix = f"{place}." if place else ""
        required = schema.get("required", ())
        parts = []
        for name, part in schema.get("properties", {}).items():
            parts.append(f"{_json(name)}: {self.of(part, f'{prefix}{name}')}")
            if name not in required:
                self.optional.append(f"{prefix}{name}")
        more = schema.get("additionalProperties", not parts)
        if more is not False and not (parts and more is True):
            key = self.of(schema.get("propertyNames", {"type": "string"}), f"{prefix}*")
            value = self.of(more if isinstance(more, Mapping) else {}, f"{prefix}*")
            parts.append(f"{key}: {value}, …")
        return f"{{{', '.join(parts)}}}"

    def _array(self, schema: Schema, place: str) -> str:
        first = schema.get("prefixItems")
        if first is not None:
            parts = [self.of(part, f"{place}[{n}]") for n, part in enumerate(first)]
            return f"[{', '.join(parts)}]"
        size = _between(schema.get("minItems"), schema.get("maxItems"))
        words = [size, "different" if schema.get("uniqueItems") else "", "items"]
        said = " ".join(word for word in words if word)
        items = self.of(schema.get("items", {}), f"{place}[]")
        return f"[{items}, …]" if said == "items" else f"[{items}, … {said}]"


def _options(schema: Schema) -> list[Schema]:
    """Return the schemas of which a value has to meet one, none where there is no choice."""
    if isinstance(kinds := schema.get("type"), list):
        return [{**schema, "type": kind} for kind in kinds]
    return list(schema.get("anyOf") or schema.get("oneOf") or ())


def _scalar(kind: Any, schema: Schema) -> str:
    if kind == "string":
        return _json(f"<{_text(schema)}>")  # with quotes, or small models leave them out
    if kind in ("integer", "number"):
        return f"<{_number(schema, whole=kind == 'integer')}>"
    return {"boolean": "<true or false>", "null": "null"}.get(kind, "<any JSON value>")


def _text(schema: Schema) -> str:
    format_ = schema.get("format")
    words = _TEXTS.get(format_, f"text in the format {format_}") if format_ else "text"
    if size := _between(schema.get("minLength"), schema.get("maxLength")):
        words += f" of {size} characters"
    pattern = schema.get("pattern")
    return f"{words} that matches {pattern}" if pattern else words


def _number(schema: Schema, *, whole: bool) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if whole:  # a model reads "from 1" more surely than "above 0"
        least = math.floor(above) + 1 if least is None and above is not None else least
        most = math.ceil(below) - 1 if most is None and below is not None else most
        above = below = None
    if least is not None and most is not None:
        limits = [f"from {least} to {most}"]
    else:
        ends = (("above", above), ("of at least", least), ("below", below), ("of at most", most))
        limits = [f"{name} {end}" for name, end in ends if end is not None]
    words = ["whole number" if whole else "number", " and ".join(limits)]
    if step := schema.get("multipleOf"):
        words.append(f"in steps of {step}")
    return " ".join(filter(None, words))


def _between(least: Any, most: Any) -> str:
    if most is None:
        return f"at least {least}" if least else ""
    if least == most:
        return str(most)
    return f"{least} to {most}" if least else f"at most {most}"


def _one_of(values: Sequence[Any]) -> str:
    if len(values) == 1:
        return _json(values[0])
    if all(isinstance(value, str) and _PLAIN.fullmatch(value) for value in values):
        return _json(f"<one of: {', '.join(values)}>")  # quotes around all, as of a text
    return f"<one of: {', '.join(map(_json, values))}>"


def _name(reference: str) -> str:
    return re.sub(r".*/", "", reference)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
