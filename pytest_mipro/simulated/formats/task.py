"""What the stand-in model understood of a request, whatever format it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mipro.simulated.language import noise

Fields = tuple[tuple[str, str], ...]
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Slot:
    """One value that the reply has to hold; `schema` is the JSON schema of the value."""

    name: str
    schema: Schema


@dataclass(frozen=True)
class Example:
    """A solved example of the request: input fields as text, one value a slot."""

    inputs: Fields
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One request: what the instruction says, what is wanted, what is shown, what is asked.

    `reasoning` names the slot for a reasoning that comes before the others, "" for none;
    `as_object` wants the reply to be one JSON object of the slots.
    """

    instruction: str
    slots: tuple[Slot, ...]
    demos: tuple[Example, ...]
    query: Fields
    reasoning: str = ""
    as_object: bool = False


@dataclass(frozen=True)
class Mind:
    """What makes one draw of one model: its noise, its seed, the temperature and the sample.

    `seed` is the model's own, `draw` belongs to the request and sample. `temperature` is 0 or more.
    """

    seed: str
    draw: str
    temperature: float = 0.0
    noise: float = 1.0

    def jitter(self, *parts: object) -> float:
        """Return the noise of a choice: fixed for the model, plus Gumbel noise by temperature."""
        fixed = self.noise * (noise.gumbel(self.seed, *parts) - 0.5772)
        if self.temperature <= 0:
            return fixed
        return fixed + self.temperature * 0.4 * (noise.gumbel(self.draw, *parts) - 0.5772)


@dataclass(frozen=True)
class Question:
    """One value to find: what it is called, what is said of it, what is shown and what is asked.

    `demos` are pairs of input fields and the value that the demo gives.
    """

    name: str
    instruction: str
    query: Fields
    demos: tuple[tuple[Fields, Any], ...]
    alone: bool = True


def joined(fields: Fields) -> str:
    """Return the values of the fields as one text."""
    return "\n".join(value for _, value in fields)
