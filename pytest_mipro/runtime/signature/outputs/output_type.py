"""Choose the output format of an annotation; refuse types that have none."""

from __future__ import annotations

import enum
import types
import typing
from typing import Any, Literal

from pydantic import PydanticUserError, TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.signature.json_values import enum_name, to_json, to_text
from pytest_mipro.runtime.signature.outputs.descriptions import said_beside
from pytest_mipro.runtime.signature.outputs.output_format import OutputFormat
from pytest_mipro.runtime.signature.outputs.pydantic_schema import (
    adapter_and_schema,
    shown,
    unreadable,
)

_SUPPORTED = (
    "use str, Literal, an enum, bool, a number, a list, a dict, a dataclass, a TypedDict or a "
    "pydantic model"
)
_UNIONS = (typing.Union, types.UnionType)
_ASKED = {bool: "`true` or `false`", int: "one whole number", float: "one number"}


class UnresolvedTypeError(ModuleDefinitionError):
    """The type names another one that may be defined only by the first call."""


def output_format(annotation: Any, *, reasoning: bool, where: str) -> OutputFormat:
    """Return the format of an output annotation; `where` names the module in errors.

    Raises ModuleDefinitionError for a type that pydantic has no schema for.
    """
    if any(annotation is refused for refused in (Any, object, None, type(None), bytes)):
        raise ModuleDefinitionError(
            f"{where}: the output type {_type_name(annotation)} can't be checked; {_SUPPORTED}"
        )
    adapter, schema = _pydantic(annotation, where)
    bare = _bare(annotation, schema)
    in_schema = " ".join(str(schema.get("description", "")).split())
    about = said_beside(annotation) or in_schema
    if bare is str:
        return OutputFormat("text", reasoning, adapter, about=about)
    if bare in _ASKED:
        return OutputFormat("scalar", reasoning, adapter, scalar=_ASKED[bare], about=about)
    if (members := _members(bare)) is not None:
        labels = _labels(members, annotation, where)
        return OutputFormat(
            "scalar",
            reasoning,
            adapter,
            labels,
            "exactly one of these values",
            aliases=_aliases(labels),
            about=about,
        )
    if unreadable(schema):
        raise ModuleDefinitionError(
            f"{where}: the output type {_type_name(annotation)} holds an enum whose values have no "
            "JSON form; give its members texts or numbers"
        )
    wanted = shown(schema)
    if reasoning:
        wanted = _with_reasoning(wanted)
    united = typing.get_args(bare) if typing.get_origin(bare) in _UNIONS else ()
    inner = (item for item in united if item is not type(None))
    return OutputFormat(
        "json",
        reasoning,
        adapter,
        schema=wanted,
        values=schema,
        members=tuple(output_format(item, reasoning=False, where=where) for item in inner),
        optional=type(None) in united,
        about="" if about == in_schema else about,  # the shape shows what the schema says
    )


def _pydantic(annotation: Any, where: str) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    try:
        return adapter_and_schema(annotation)
    except NameError as error:
        raise UnresolvedTypeError(f"{where}: {_reason(error)}") from error
    except (PydanticUserError, PydanticSerializationError) as error:
        unresolved = ("class-not-fully-defined", "undefined-annotation")
        if getattr(error, "code", "") in unresolved:
            raise UnresolvedTypeError(
                f"{where}: the output type {_type_name(annotation)} names a type that is not "
                "defined; define or import it in the file of the type"
            ) from error
        raise ModuleDefinitionError(
            f"{where}: the output type {_type_name(annotation)} has no JSON schema "
            f"({_reason(error)}); {_SUPPORTED}"
        ) from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].partition(" Set `arbitrary_types_allowed")[0].rstrip(".")


def _bare(annotation: Any, schema: dict[str, Any]) -> Any:
    """Return the type under aliases and NewTypes, and under an Annotated that adds no rule."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            inner = typing.get_args(annotation)[0]
            if _rules(adapter_and_schema(inner)[1]) != _rules(schema):
                return annotation
        else:
            inner = getattr(annotation, "__supertype__", None) or _aliased(annotation)
            if inner is None:
                return annotation
        annotation = inner


def _rules(schema: dict[str, Any]) -> dict[str, Any]:
    return {k: schema[k] for k in schema if k not in ("title", "description", "examples")}


def _aliased(annotation: Any) -> Any:
    """Return the value of a `type Name = …` alias; None for everything else."""
    alias = type(annotation).__name__ == "TypeAliasType"
    return annotation.__value__ if alias else None


def _members(annotation: Any) -> tuple[Any, ...] | None:
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return tuple(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return _joint_members(typing.get_args(annotation))
    return None


def _joint_members(options: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the members of a union of enums, literals and None, if their texts are distinct."""
    joint: list[Any] = []
    for option in options:
        none = option is type(None)
        members = (None,) if none else _members(_bare(option, adapter_and_schema(option)[1]))
        if members is None:
            return None
        joint += members
    texts = {to_text(to_json(member)) for member in joint}
    return tuple(joint) if len(texts) == len(joint) else None


def _labels(members: tuple[Any, ...], annotation: Any, where: str) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    for member in members:
        label = to_text(to_json(member))
        if label in labels or not label.strip() or "\n" in label:
            raise ModuleDefinitionError(
                f"{where}: the output type {_type_name(annotation)} has the value {label!r}, which "
                "is empty, has several lines, or appears twice; use distinct one-line values"
            )
        labels[label] = member
    if not labels:
        raise ModuleDefinitionError(
            f"{where}: the output type {_type_name(annotation)} has no values; {_SUPPORTED}"
        )
    return labels


def _aliases(labels: dict[str, Any]) -> dict[str, Any]:
    """Return the members that are shown by name by their values, as prompt files may hold them."""
    values = {
        to_text(to_jsonable_python(member, fallback=str)): member
        for member in labels.values()
        if enum_name(member) is not None
    }
    return {text: member for text, member in values.items() if text not in labels}


def _with_reasoning(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, "output": inner},
        "required": ["reasoning", "output"],
    }
    return wrapped | ({"$defs": schema["$defs"]} if "$defs" in schema else {})


def _type_name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation)
