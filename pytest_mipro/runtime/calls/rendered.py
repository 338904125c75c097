"""Remember what modules rendered for calls that the pipeline makes itself, to tell whose one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.signature.signature import Signature


class Rendered:
    """The messages that `LMModule.messages` gave in a case, with their modules and inputs."""

    def __init__(self) -> None:
        self._found: dict[tuple[Message, ...], tuple[Signature, Mapping[str, Any]]] = {}

    def note(
        self, messages: Sequence[Message], signature: Signature, inputs: Mapping[str, Any]
    ) -> None:
        """Keep the messages of a module with the inputs that they hold."""
        self._found[tuple(messages)] = signature, inputs

    def owner_of(self, sent: Sequence[Message]) -> tuple[Signature, Mapping[str, Any]] | None:
        """Return the module, and its inputs, whose messages stand in a row among those sent.

        Of several, it is the one with the most messages: its row may hold another's.
        """
        fitting = [known for known in list(self._found) if _holds(tuple(sent), known)]
        return self._found[max(fitting, key=len)] if fitting else None


def _holds(sent: tuple[Message, ...], row: tuple[Message, ...]) -> bool:
    ends = range(len(row), len(sent) + 1)
    return any(sent[end - len(row) : end] == row for end in ends)
