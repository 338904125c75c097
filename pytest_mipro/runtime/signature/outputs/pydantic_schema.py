"""Ask pydantic for a type's adapter and JSON schema: enums by name, any TypedDict."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import typing_extensions
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from pytest_mipro.runtime.signature.answers.labels import LabelReader
from pytest_mipro.runtime.signature.json_values import enum_name, to_json, to_text

Schema = dict[str, Any]
_VALUES = "$values"
_JSON_LESS = "$none"


class _ByName(GenerateJsonSchema):
    """Names the members of enums whose values are no texts, and keeps the values beside them."""

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """Return the schema of an enum class."""
        members = schema["members"]
        named = any(enum_name(member) is not None for member in members)
        return _named(members, schema["cls"]) if named else super().enum_schema(schema)

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """Return the schema of a `Literal`, whose values may be members of an enum."""
        members = schema["expected"]
        named = any(enum_name(member) is not None for member in members)
        return _named(members) if named else super().literal_schema(schema)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Return the schema of a dataclass, with its docstring: pydantic before 2.13 drops it."""
        shaped = super().dataclass_schema(schema)
        cls = schema["cls"]
        doc, signature = cls.__doc__ or "", f"{cls.__name__}("  # Python writes one where none is
        if doc and not doc.startswith(signature):
            shaped.setdefault("description", inspect.cleandoc(doc))
        return shaped

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Return the schema of a decimal, without the pattern that pydantic 2.12 and 2.13 add."""
        shaped = super().decimal_schema(schema)
        options = [{**option} for option in shaped.get("anyOf", ())]
        for option in options:
            option.pop("pattern", None)
        return shaped | ({"anyOf": options} if options else {})


def _named(members: list[Any], cls: type | None = None) -> Schema:
    values = [_scalar_value(member) for member in members]
    schema = {"enum": [to_json(member) for member in members], _VALUES: values}
    return schema | ({"title": cls.__name__} if cls else {})


def _scalar_value(member: Any) -> Any:
    value = getattr(member, "value", member)
    return value if value is None or isinstance(value, (str, int, float)) else _JSON_LESS


def adapter_and_schema(annotation: Any) -> tuple[TypeAdapter[Any], Schema]:
    """Return the adapter and the schema of a type; raises what pydantic raises.

    The schema holds the values of named enums, for `by_value`; `shown` leaves them out.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(_with_known_dicts(annotation))
    return adapter, adapter.json_schema(schema_generator=_ByName)


class _Again(_ByName):
    """Says no more of a default without a JSON form: the type's first schema has warned of it."""

    ignored_warning_kinds = _ByName.ignored_warning_kinds | {"non-serializable-default"}


def has_aliases(adapter: TypeAdapter[Any]) -> bool:
    """Return whether JSON names some fields otherwise than Python does."""
    named, plain = (
        adapter.json_schema(by_alias=by_alias, schema_generator=_Again)
        for by_alias in (True, False)
    )
    return named != plain


def shown(schema: Any) -> Any:
    """Return the schema as models see it: without the values of named enums."""
    if isinstance(schema, dict):
        return {key: shown(part) for key, part in schema.items() if key != _VALUES}
    return [shown(part) for part in schema] if isinstance(schema, list) else schema


def unreadable(schema: Any) -> bool:
    """Return whether the schema names members of enums whose values JSON can't hold."""
    if isinstance(schema, list):
        return any(map(unreadable, schema))
    if not isinstance(schema, dict):
        return False
    values = schema.get(_VALUES, ())
    return any(map(unreadable, schema.values())) or _JSON_LESS in values


def by_value(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    """Return a JSON value as the schema spells it.

    The names of enums' members become the members' values; a label or a field's name in another
    case is that label or name; null for a field that can be left out and can't be null leaves it
    out.
    """
    if "$ref" in schema:
        return by_value(value, defs[schema["$ref"].rpartition("/")[2]], defs)
    if isinstance(value, str) and schema.keys() & {"enum", "const"}:
        labels = schema.get("enum", [schema.get("const")])
        label = _label(value, labels)
        return dict(zip(labels, schema.get(_VALUES, labels), strict=True)).get(label, label)
    changed = _by_option(value, schema, defs)
    if changed != value:
        return changed
    if isinstance(value, dict):
        parts, more = schema.get("properties", {}), schema.get("additionalProperties", {})
        names = schema.get("propertyNames", {})
        rest = more if isinstance(more, Mapping) else {}
        value = _fields(value, parts, schema.get("required", ()), defs) if parts else value
        return {
            _text(by_value(name, names, defs)): by_value(item, parts.get(name, rest), defs)
            for name, item in value.items()
        }
    if isinstance(value, list):
        first, rest = schema.get("prefixItems", ()), schema.get("items", {})
        parts = [*first, *[rest] * (len(value) - len(first))]
        return [by_value(item, part, defs) for item, part in zip(value, parts, strict=False)]
    return value


def _by_option(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key, ())
        if isinstance(value, str) and any(option == {"type": "string"} for option in options):
            options = [option for option in options if "$ref" in option or _VALUES in option]
        for option in options:
            changed = by_value(value, option, defs)
            if changed != value:
                return changed
    return value


def _label(text: str, labels: list[Any]) -> Any:
    """Return the label that a text is but for case and hyphens, or quotes around another value."""
    texts = [label for label in labels if isinstance(label, str)]
    others = {to_text(label): label for label in labels}
    return LabelReader(texts).alone(text) or others.get(text, text)


def _fields(
    value: Schema, parts: Schema, required: Iterable[str], defs: Mapping[str, Any]
) -> Schema:
    spelt = {name: name if name in parts else _label(name, list(parts)) for name in value}
    if len(set(spelt.values())) < len(spelt):
        return value
    return {
        spelt[name]: item
        for name, item in value.items()
        if item is not None
        or spelt[name] in required
        or _takes_null(parts.get(spelt[name], {}), defs)
    }


def _takes_null(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    if "$ref" in schema:
        return _takes_null(defs[schema["$ref"].rpartition("/")[2]], defs)
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return any(_takes_null(option, defs) for option in options)
    if "enum" in schema or "const" in schema:
        known = schema.get("enum", [schema.get("const")])
        return None in known or None in schema.get(_VALUES, ())
    return schema.get("type") in (None, "null")


def _text(key: Any) -> str:
    return key if isinstance(key, str) else next(iter(to_jsonable_python({key: None})))


def _with_known_dicts(annotation: Any) -> Any:
    """Return the annotation with each `typing.TypedDict` as pydantic wants it below Python 3.12."""
    if sys.version_info >= (3, 12):
        return annotation
    if typing_extensions.is_typeddict(annotation) and type(annotation).__module__ == "typing":
        return _known_dict(annotation)
    inner = typing.get_args(annotation)
    known = tuple(_with_known_dicts(item) for item in inner)
    if all(one is other for one, other in zip(inner, known, strict=True)):
        return annotation
    if isinstance(annotation, types.UnionType):
        return typing.Union[known]  # noqa: UP007 - made of values
    if typing.get_origin(annotation) is typing.Annotated:
        return typing.Annotated[known]
    generic: Any = typing.get_origin(annotation)
    return annotation.copy_with(known) if hasattr(annotation, "copy_with") else generic[known]


def _known_dict(annotation: Any) -> Any:
    hints = typing_extensions.get_type_hints(annotation, include_extras=True)
    marks: tuple[Any, ...] = (typing_extensions.Required, typing_extensions.NotRequired)
    fields = {}
    for name, hint in hints.items():
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) in marks else hint
        mark = marks[name not in annotation.__required_keys__]
        # A dict that holds itself stays as it is, and pydantic tells the remedy.
        fields[name] = mark[inner if inner is annotation else _with_known_dicts(inner)]
    make: Any = typing_extensions.TypedDict
    made = make(annotation.__name__, fields)
    made.__doc__, made.__module__ = annotation.__doc__, annotation.__module__
    return made
