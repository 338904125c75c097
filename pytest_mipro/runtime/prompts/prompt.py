"""The optimised and committed part of a module: an instruction and demonstrations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Demo:
    """One demonstration: a call of the module in a case that passed.

    `case` is the row it was taken from; that row never sees its own demo. `inputs` and
    `output` are JSON values; `reasoning` is set if the module asks for it.
    """

    case: str
    inputs: Mapping[str, Any]
    output: Any
    reasoning: str | None = None


@dataclass(frozen=True)
class Prompt:
    """A module's `instruction` and its `demos`, in order."""

    instruction: str
    demos: tuple[Demo, ...] = field(default=())

    def without(self, row: str | None) -> Prompt:
        """Return the prompt without the demos taken from this row."""
        if row is None or all(demo.case != row for demo in self.demos):
            return self
        return replace(self, demos=tuple(demo for demo in self.demos if demo.case != row))

    def digest(self) -> str:
        """Return the first 16 hex digits of the SHA-256 of the prompt's JSON text.

        The order of keys counts: messages show it.
        """
        demos = [[demo.case, dict(demo.inputs), demo.output, demo.reasoning] for demo in self.demos]
        text = json.dumps([self.instruction, demos], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
