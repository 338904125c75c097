"""Tell a model the format of its reply, and parse the reply back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import TypeAdapter

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature import reading, reasoned
from pytest_mipro.runtime.signature.json_values import sorted_like, to_json, to_text
from pytest_mipro.runtime.signature.output_shape import placeholders, shape_text
from pytest_mipro.runtime.signature.pydantic_schema import by_value
from pytest_mipro.runtime.signature.reply_text import quoted
from pytest_mipro.runtime.signature.thoughts import without_thoughts
from pytest_mipro.runtime.signature.validation import validated

Kind = Literal["text", "scalar", "json"]


@dataclass(frozen=True)
class OutputFormat:
    """The format of a reply: plain `text`, a bare `scalar`, or a `json` value.

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
    members: tuple[OutputFormat, ...] = ()
    optional: bool = False

    @property
    def response_schema(self) -> dict[str, Any] | None:
        """The schema to send along: providers accept only schemas whose root is an object."""
        return self.schema if self.schema and self.schema.get("type") == "object" else None

    def instruction(self) -> str:
        """Return the output paragraph of the system message; empty for plain text."""
        about = f"The reply is: {self.about}" if self.about else ""
        return "\n".join(filter(None, (self._wanted(), about)))

    def _wanted(self) -> str:
        if self.kind == "json":
            what = "object" if self.response_schema else "value"
            return (
                f"Reply with one JSON {what} of this shape and nothing else, with a value in place "
                f"of each <…>:\n{self._shape}"
            )
        if not self.reasoning:
            return (
                ""
                if self.kind == "text"
                else f"Reply with {self.scalar} and nothing else{self._options()}"
            )
        wanted = "your answer" if self.kind == "text" else f"{self.scalar} and nothing else"
        return reasoned.request_text(wanted) + self._options()

    def _options(self) -> str:
        return ":\n" + "\n".join(f"- {label}" for label in self.labels) if self.labels else "."

    @cached_property
    def _shape(self) -> str:
        return shape_text(self.schema or {})

    @cached_property
    def _placeholders(self) -> frozenset[str]:
        return placeholders(self._shape)

    def dump(self, value: Any) -> Any:
        """Return the JSON value of an output."""
        if self.labels:
            return to_json(value)
        python = self.adapter.dump_python(value, warnings=False)
        return to_json(
            sorted_like(self.adapter.dump_python(value, mode="json", warnings=False), python)
        )

    def load(self, value: Any) -> Any:
        """Return the output of a JSON value, as `dump` gives it; raises OutputParseError."""
        if self.kind == "text":
            if not isinstance(value, str):
                raise OutputParseError(f"{quoted(to_text(value))} is not a text")
            return value
        if self.labels:
            return reading.read_label(self, to_text(value))
        return self.validate(value)

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

    def reply_text(self, output: Any, reasoning: str | None) -> str:
        """Return the reply text for an output (a JSON value), as a demo shows it."""
        if self.kind == "json":
            said = {"reasoning": reasoning} if reasoning else {}
            value = {**said, "output": output} if self.reasoning else output
            return json.dumps(value, ensure_ascii=False)
        text = to_text(output)
        return reasoned.write(reasoning, text) if self.reasoning else text

    def parse(self, text: str, *, cut: bool = False) -> tuple[Any, str | None]:
        """Return (value, reasoning) of a reply; raises OutputParseError with the reason.

        `cut`: the reply ended at the output limit, so a list without a closing bracket may go on.
        """
        said = without_thoughts(text)
        if not said.strip():
            thought = ": it holds only the model's thoughts" if text.strip() else ""
            raise OutputParseError(f"it is empty{thought}")
        if not self.reasoning:
            return reading.read(self, said, cut=cut), None
        return reading.read_reasoned(self, said, cut=cut)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value:
            yield from _texts(part)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))
