"""The signature of a prompt text: a file whose text the pipeline puts into its own messages."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pytest_mipro.runtime.signature.outputs.output_format import OutputFormat
from pytest_mipro.runtime.signature.outputs.output_type import output_format
from pytest_mipro.runtime.signature.signature import (
    Signature,
    defined_signature,
    input_text,
    note_defined,
)

USER_MESSAGE = "user_message"
"""The name of the input that is the last user message, without what the text itself says there."""


@dataclass(frozen=True, eq=False)
class TextSignature(Signature):
    """The signature of a prompt text, named after its file.

    The inputs of a call are the values of its placeholders, and the last user message; the output
    is the reply's text. `user` holds the names of the Python file that took the text first.
    """

    user: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)
    kind: ClassVar[str] = "prompt text"

    @property
    def source(self) -> tuple[str, int]:
        """The file itself: it is the same text wherever it is used."""
        return str(self.prompt_path), 1

    @property
    def is_in_use(self) -> bool:
        """Whether the Python file that took it was not imported afresh since."""
        module = sys.modules.get(str(self.user.get("__name__")))
        return not self.user or (module is not None and vars(module) is self.user)

    @property
    def inputs(self) -> tuple[str, ...]:
        """No names: each call has its own."""
        return ()

    @property
    def described(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    @property
    def output(self) -> OutputFormat:
        """Any text."""
        return _any_text()

    def demo_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the inputs as they are; None without any."""
        return dict(inputs) or None

    def user_text(self, inputs: Mapping[str, Any]) -> str:
        """Return the user message as it was; the values of placeholders where there was none."""
        return str(inputs.get(USER_MESSAGE) or input_text(inputs))


@cache
def _any_text() -> OutputFormat:
    return output_format(str, reasoning=False, where="a prompt text")


def text_signature(
    path: Path, *, optimize: bool = True, user: Mapping[str, Any] | None = None
) -> TextSignature:
    """Return the signature of the text in a file, the same one for all that use the file.

    `user` holds the names of the Python file that takes it.
    """
    known = defined_signature(path.name, path)
    if isinstance(known, TextSignature) and known.is_in_use and known.optimize == optimize:
        return known
    signature = TextSignature(
        path.name, "", path, prompt_required=True, optimize=optimize, user=user or {}
    )
    note_defined(signature)
    return signature
