"""Tell a model the format of its reply, and parse the reply back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.json_values import sorted_like, to_json, to_text
from pytest_mipro.runtime.signature.output_shape import placeholders, shape_text
from pytest_mipro.runtime.signature.pydantic_schema import by_value
from pytest_mipro.runtime.signature.reply_text import (
    bare,
    label_key,
    quoted,
    single_fence,
    unfenced,
)
from pytest_mipro.runtime.text.strict_json import load_json

Kind = Literal["text", "scalar", "json"]

_SEPARATOR = "---"


@dataclass(frozen=True)
class OutputFormat:
    """The format of a reply: plain `text`, a bare `scalar`, or a `json` value.

    `labels` maps the allowed texts of a scalar to Python values (empty for booleans and numbers),
    `aliases` the values of enums that are shown by name;
    `scalar` describes the scalar to the model; `schema` is the JSON schema of a `json` reply,
    including the reasoning field, and `values` that of the output, with the values of enums that
    are shown by name. `about` is what the annotation says of a text or scalar.
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
        return (
            f"First write your reasoning, then a line that holds only `{_SEPARATOR}`, "
            f"then {wanted}{self._options()}"
        )

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
            return self._label(to_text(value))
        return self._validate(value)

    def reply_text(self, output: Any, reasoning: str | None) -> str:
        """Return the reply text for an output (a JSON value), as a demo shows it."""
        if self.kind == "json":
            value = {"reasoning": reasoning or "", "output": output} if self.reasoning else output
            return json.dumps(value, ensure_ascii=False)
        text = to_text(output)
        return f"{reasoning or ''}\n{_SEPARATOR}\n{text}".lstrip("\n") if self.reasoning else text

    def parse(self, text: str) -> tuple[Any, str | None]:
        """Return (value, reasoning) of a reply; raises OutputParseError with the reason."""
        reasoning, body = self._split(text)
        if self.kind == "text":
            return body, reasoning
        if self.kind == "scalar":
            return self._scalar(body), reasoning
        value = self._json(body)
        if self.reasoning:
            value, reasoning = _reasoned(value)
        return self._validate(value), reasoning

    def _split(self, text: str) -> tuple[str | None, str]:
        if not self.reasoning or self.kind == "json":
            return None, text
        lines = text.split("\n")
        places = [i for i, line in enumerate(lines) if line.strip() == _SEPARATOR]
        if not places:
            raise OutputParseError(f"it has no line that holds only `{_SEPARATOR}`")
        # A text may contain such a line, a scalar can't: for scalars the last one separates.
        at = places[0] if self.kind == "text" else places[-1]
        return "\n".join(lines[:at]).strip(), "\n".join(lines[at + 1 :]).lstrip("\n")

    def _scalar(self, body: str) -> Any:
        if self.labels:
            return self._label(unfenced(body))
        text = bare(unfenced(body))
        try:
            return self._validate(load_json(text.lower(), repeated_keys=True))
        except ValueError:
            raise OutputParseError(f"{quoted(text)} is not {self.scalar}") from None

    def _label(self, text: str) -> Any:
        for candidate in (text, text.strip()):
            for known in (self.labels, self.aliases):
                if candidate in known:
                    return known[candidate]
        key = label_key(text)
        found = [value for label, value in self.labels.items() if label_key(label) == key]
        if key and len(found) == 1:
            return found[0]
        raise OutputParseError(f"{quoted(text)} is none of: {', '.join(self.labels)}")

    def _json(self, body: str) -> Any:
        text = unfenced(body).strip()
        try:
            return load_json(text, repeated_keys=True)
        except ValueError as error:
            inner = single_fence(text)
            if inner is not None:
                return self._json(inner)
            if self.schema and self.schema.get("type") == "string":  # a date, written bare
                return text
            raise OutputParseError(f"{quoted(text)} is not JSON ({error})") from None

    def _validate(self, value: Any) -> Any:
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
        try:
            output = self.adapter.validate_json(json.dumps(value))
            dumped = self.adapter.dump_python(output, mode="json", warnings=False)
            load_json(json.dumps(dumped), repeated_keys=True)  # refuses NaN and infinities
        except ValidationError as error:
            raise OutputParseError(_first(error)) from None
        except ValueError as error:
            raise OutputParseError(str(error)) from None
        return output


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value:
            yield from _texts(part)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))


def _reasoned(value: Any) -> tuple[Any, str]:
    if not isinstance(value, dict) or "output" not in value:
        raise OutputParseError("the JSON value has no field `output`")
    return value["output"], to_text(value.get("reasoning", ""))


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in detail["loc"])
    text = " ".join(detail["msg"].split())
    return f"{place}: {text}" if place else text
