"""The inputs of a module by their annotations: described, checked, as JSON values."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from pytest_mipro.errors import AttachmentError, ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.client.attachments import Attachment
from pytest_mipro.runtime.signature.inputs.attached_inputs import attached_kind, attached_value
from pytest_mipro.runtime.signature.inputs.chat_history import (
    OWN_CLIENT_WAY,
    SAID,
    HistoryError,
    is_history,
    turns_of,
)
from pytest_mipro.runtime.signature.json_values import to_json
from pytest_mipro.runtime.signature.outputs.descriptions import notes_on, said_beside


def resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    """Return what an annotation means among a file's names; raises what its text raises."""
    holder = SimpleNamespace(__annotations__={"one": annotation})
    return typing.get_type_hints(holder, dict(names), include_extras=True)["one"]


@dataclass(frozen=True, eq=False)
class InputTypes:
    """The inputs of a module: its Python `parameters`, the `names` of its file, and its place."""

    parameters: inspect.Signature
    names: Mapping[str, Any]
    where: str

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """The annotations by input; one that only a type checker can resolve means nothing.

        Raises ModuleDefinitionError where that one is a `History`, which decides what is sent.
        """
        found = {}
        for name, parameter in self.parameters.parameters.items():
            try:
                found[name] = resolved(parameter.annotation, self.names)
            except Exception as error:
                unknown = getattr(error, "name", None)
                if unknown == "History":
                    raise ModuleDefinitionError(
                        f"{self.where}: {unknown} of input {name!r} is not defined; import it at "
                        "the top level of the file, outside `if TYPE_CHECKING:`"
                    ) from error
        return found

    @cached_property
    def history(self) -> str | None:
        """The name of the input that is a chat history; raises ModuleDefinitionError for two."""
        names = [name for name, kind in self.annotations.items() if is_history(kind)]
        if len(names) > 1:
            raise ModuleDefinitionError(
                f"{self.where}: {' and '.join(names)} are chat histories; a call has one "
                "conversation, so annotate the others as list[dict], which is shown as a value"
            )
        return names[0] if names else None

    @cached_property
    def attached(self) -> dict[str, type[Attachment]]:
        """The kinds of the inputs that are images or files; raises ModuleDefinitionError."""
        found = {}
        for name, annotation in self.annotations.items():
            try:
                kind = attached_kind(annotation)
            except AttachmentError as error:
                raise ModuleDefinitionError(f"{self.where}: input {name!r}: {error}") from None
            if kind is not None:
                found[name] = kind
        return found

    def described(self) -> dict[str, str]:
        """Return what annotations say of inputs and of their fields, by name."""
        found: dict[str, str] = {}
        for name, annotation in self.annotations.items():
            if name != self.history:
                found |= notes_on(name, annotation)
            else:
                found[name] = "; ".join(filter(None, (said_beside(annotation), SAID)))
        return found

    def placeholders(self) -> dict[str, Any]:
        """Return arguments that show where each input goes: `{name}` for its value."""
        shown: dict[str, Any] = {name: f"{{{name}}}" for name in self.parameters.parameters}
        if self.history is not None:
            shown[self.history] = [{"role": "user", "content": shown[self.history]}]
        for name, kind in self.attached.items():
            shown[name] = kind.placeholder(shown[name])
        return shown

    def json_values(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON values of a call's arguments; raises ModuleCallError."""
        inputs = {name: self._json(name, value) for name, value in arguments.items()}
        turns = inputs[self.history] if self.history and len(inputs) == 1 else ()
        if turns and turns[-1]["role"] == "assistant":
            raise ModuleCallError(
                f"the conversation {self.history!r} ends with the assistant, and no other input "
                "asks for a reply; end it with the user, or annotate list[dict], which is shown "
                "as a value"
            )
        return inputs

    def _json(self, name: str, value: Any) -> Any:
        try:
            if name in self.attached:
                return attached_value(value, self.attached[name])
            return turns_of(value) if name == self.history else to_json(value)
        except (AttachmentError, HistoryError) as error:
            raise ModuleCallError(f"argument {name!r}: {error}") from None
        except TypeError as error:
            if any(map(callable, value if isinstance(value, (list, tuple)) else (value,))):
                raise ModuleCallError(
                    f"argument {name!r} holds a function, and a module calls none; {OWN_CLIENT_WAY}"
                ) from None
            raise ModuleCallError(
                f"argument {name!r} of type {type(value).__name__} has no JSON form ({error}); "
                "pass a string, a number, a list, a dict or a dataclass"
            ) from None
