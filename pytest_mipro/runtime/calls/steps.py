"""A function between modules, made by `@step`: its call in a trace, and the request for its result.

Where a step's result is kept, it is asked for as a reply is: by the same cache, recordings and
single flight. Its request costs nothing and counts for no budget.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from pytest_mipro.runtime.client.contract import LMClient, Message, Reply, Request
from pytest_mipro.runtime.signature.signature import input_text

_LABEL = "step "


def step_label(name: str) -> str:
    """Return the label that a step's calls are counted under; no module has such a one."""
    return f"{_LABEL}{name}"


def step_of_label(label: str) -> str | None:
    """Return the step's name in a label, None where it is a module's."""
    return label.removeprefix(_LABEL) if label.startswith(_LABEL) else None


@dataclass(frozen=True)
class StepCall:
    """One call of a step within a case.

    `name` is the function's qualified name and `code` its code. `inputs` and `output` are JSON
    values; what has no JSON form is its type's name in angle brackets. `seconds` is how long it
    took when it ran, `cached` tells that its kept result was used. `error` is "" after success.
    `place` is its number among the case's calls, from 1.
    """

    name: str
    code: CodeType
    inputs: Mapping[str, Any]
    output: Any
    seconds: float = field(compare=False)
    cached: bool = False
    error: str = ""
    place: int = field(default=0, compare=False)


@dataclass(frozen=True)
class StepRequest(Request):
    """A request for a step's kept result: by its `name`, `source` and `inputs`, which are JSON.

    `make` runs the step where its caller is.
    """

    name: str = ""
    source: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[], Awaitable[Reply]] | None = field(default=None, repr=False, compare=False)

    def canonical_json(self) -> str:
        """Return what identifies the result as JSON text, sorted by key; samples share it."""
        data = {"step": self.name, "source": self.source, "inputs": dict(self.inputs)}
        return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def endpoint_at(self, client: LMClient) -> str:  # noqa: ARG002 - the base's signature
        """Return the default endpoint: none is asked."""
        return ""

    @property
    def answerer(self) -> str:
        """Who answers, for errors."""
        return f"the step {self.name!r}"


def step_request(name: str, source: str, inputs: Mapping[str, Any]) -> StepRequest:
    """Return the request for a step's result; its messages are what explains a missing one."""
    messages = Message("system", source), Message("user", input_text(inputs))
    return StepRequest(step_label(name), messages, name=name, source=source, inputs=inputs)
