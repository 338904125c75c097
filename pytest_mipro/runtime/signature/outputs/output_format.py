"""Tell a model the format of its reply, and parse the reply back."""

from __future__ import annotations

import html
import json
from functools import cached_property, partial
from typing import Any

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.answers.reply_text import quoted
from pytest_mipro.runtime.signature.answers.thoughts import without_thoughts
from pytest_mipro.runtime.signature.json_values import sorted_like, to_json, to_text
from pytest_mipro.runtime.signature.outputs import reading, reasoned
from pytest_mipro.runtime.signature.outputs.output_rules import OutputRules
from pytest_mipro.runtime.signature.outputs.pydantic_schema import has_aliases
from pytest_mipro.runtime.signature.outputs.validation import of_validator


class OutputFormat(OutputRules):
    """The format of a reply: how a model is asked for it, and how it is written and read."""

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
                f"of each <…>:\n{self.shape}"
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

    def dump(self, value: Any) -> Any:
        """Return the JSON value of an output; its fields are named as in a reply."""
        if self.labels:
            return to_json(value)
        if self._has_aliases and self.loads(aliased := self._dumped(value, by_alias=True)):
            return aliased
        return self._dumped(value, by_alias=False)

    @cached_property
    def _has_aliases(self) -> bool:
        """Whether replies name some fields otherwise than Python does."""
        return has_aliases(self.adapter)

    def _dumped(self, value: Any, *, by_alias: bool) -> Any:
        dump = partial(self.adapter.dump_python, value, by_alias=by_alias, warnings=False)
        return to_json(sorted_like(dump(mode="json"), dump()))

    def loads(self, value: Any) -> bool:
        """Return whether a JSON value is one of an output, as that of a demo must be."""
        try:
            self.load(value)
        except Exception:  # noqa: BLE001 - a user's validator may raise anything
            return False
        return True

    def load(self, value: Any) -> Any:
        """Return the output of a JSON value, as `dump` gives it; raises OutputParseError."""
        if self.kind == "text":
            if not isinstance(value, str):
                raise OutputParseError(f"{quoted(to_text(value))} is not a text")
            return value
        if self.labels:
            return reading.read_label(self, to_text(value))
        return self.validate(value)

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
        try:
            return self._read(said, cut=cut)
        except OutputParseError:
            plain = html.unescape(said)  # some front ends escape what a model says
            if plain == said:
                raise
        return self._read(plain, cut=cut)

    def _read(self, said: str, *, cut: bool) -> tuple[Any, str | None]:
        try:
            if not self.reasoning:
                return reading.read(self, said, cut=cut), None
            return reading.read_reasoned(self, said, cut=cut)
        except (ValueError, LookupError, RecursionError) as error:
            if of_validator(error):  # a fault of the program, not of the reply
                raise
            raise OutputParseError(f"{quoted(said)} can't be read ({error!s:.60})") from error
