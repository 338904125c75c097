"""What an output has to be: its kind, its labels, and the check of a JSON value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import TypeAdapter

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.answers.reply_text import quoted
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.signature.outputs.output_shape import placeholders, shape_text
from pytest_mipro.runtime.signature.outputs.pydantic_schema import by_value
from pytest_mipro.runtime.signature.outputs.validation import validated

Kind = Literal["text", "scalar", "json"]


@dataclass(frozen=True)
class OutputRules:
    """What a reply has to hold: plain `text`, a bare `scalar`, or a `json` value.

    `labels` maps the allowed texts of a scalar to Python values (empty for booleans and numbers),
    `aliases` the values of enums that are shown by name;
    `scalar` describes the scalar to the model; `schema` is the JSON schema of a `json` reply,
    including the reasoning field, and `values` that of the output, with the values of enums that
    are shown by name. `about` is what the annotation says of a text or scalar. `members` are the
    formats of a union's types, `optional` tells that it may be null.
    """

    kind: Kind
    reasoning: bool
    adapter: TypeAdapter[Any]
    labels: Mapping[str, Any] = field(default_factory=dict)
    scalar: str = ""
    schema: dict[str, Any] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    members: tuple[OutputRules, ...] = ()
    optional: bool = False

    @property
    def open_ended(self) -> bool:
        """Whether any text is an output: one that was cut can't be told from a whole one."""
        return self.kind == "text" or any(member.open_ended for member in self.members)

    @cached_property
    def shape(self) -> str:
        """The shape of a JSON reply, as the model is shown it."""
        return shape_text(self.schema or {})

    @cached_property
    def _placeholders(self) -> frozenset[str]:
        return placeholders(self.shape)

    def validate(self, value: Any) -> Any:
        """Return the output of a JSON value that is of the type; raises OutputParseError."""
        if self.kind == "json" and (copied := self._placeholders & set(_texts(value))):
            raise OutputParseError(f"it holds {min(copied)!r} instead of a value")
        value = by_value(value, self.values, self.values.get("$defs", {}))
        # Stricter than pydantic, which takes `true` for 1, "0" for false and "nan" for a number.
        wrong = {
            "`true` or `false`": not isinstance(value, bool),
            "one whole number": isinstance(value, (bool, str)),
            "one number": isinstance(value, (bool, str)),
        }
        if wrong.get(self.scalar, False):
            raise OutputParseError(f"{quoted(to_text(value))} is not {self.scalar}")
        return validated(self.adapter, value)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value:
            yield from _texts(part)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))
