"""Choose the output format of an annotation; refuse types that have none."""

from __future__ import annotations

import enum
import typing
from typing import Any, Literal

from pydantic import PydanticUserError, TypeAdapter
from pydantic_core import PydanticSerializationError

from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.signature.json_values import to_json, to_text
from pytest_mipro.runtime.signature.output_format import OutputFormat

_SUPPORTED = (
    "use str, Literal, an enum, bool, a number, a list, a dict, a dataclass, a TypedDict or a "
    "pydantic model"
)
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
    if bare is str:
        return OutputFormat("text", reasoning, adapter)
    if bare in _ASKED:
        return OutputFormat("scalar", reasoning, adapter, scalar=_ASKED[bare])
    if (members := _members(bare)) is not None:
        labels = _labels(members, annotation, where)
        return OutputFormat("scalar", reasoning, adapter, labels, "exactly one of these values")
    if reasoning:
        schema = _with_reasoning(schema)
    return OutputFormat("json", reasoning, adapter, schema=schema)


def _pydantic(annotation: Any, where: str) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        return adapter, adapter.json_schema()
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
            if TypeAdapter(inner).json_schema() != schema:
                return annotation
        else:
            inner = getattr(annotation, "__supertype__", None) or _aliased(annotation)
            if inner is None:
                return annotation
        annotation = inner


def _aliased(annotation: Any) -> Any:
    """Return the value of a `type Name = …` alias; None for everything else."""
    alias = type(annotation).__name__ == "TypeAliasType"
    return annotation.__value__ if alias else None


def _members(annotation: Any) -> tuple[Any, ...] | None:
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return tuple(annotation)
    return None


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
