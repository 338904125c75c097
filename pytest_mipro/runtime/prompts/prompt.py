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

    `case` is the row it was taken from; that row never sees its own demo in a test. `inputs` and
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

    def without(self, row: str | None, inputs: Mapping[str, Any]) -> Prompt:
        """Return the prompt without demos that hold a row's answer; all demos where `row` is None.

        They were taken from the row, or from another one with the `inputs` of the call.
        """
        if row is None:
            return self
        kept = tuple(d for d in self.demos if d.case != row and dict(d.inputs) != dict(inputs))
        return self if len(kept) == len(self.demos) else replace(self, demos=kept)

    def digest(self) -> str:
        """Return the first 16 hex digits of the SHA-256 of the prompt's JSON text.

        The order of keys counts: messages show it.
        """
        demos = [[demo.case, dict(demo.inputs), demo.output, demo.reasoning] for demo in self.demos]
        text = json.dumps([self.instruction, demos], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
