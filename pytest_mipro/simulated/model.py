"""The simulated model: chat messages and sampling parameters in, text out. It knows nothing else.

It is a stand-in for a language model, made to run anywhere: a small in-context learner that decides
by similarity between the input, the instruction's sentences and the demos. It is good for trying
out and testing the machinery around a model, and says nothing about how real models do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_mipro.runtime.client.attachments import Attachment
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.answering.filling import Filler, reason
from pytest_mipro.simulated.formats import marked_format, plain_format
from pytest_mipro.simulated.formats.task import Mind, Question, Task
from pytest_mipro.simulated.language import noise
from pytest_mipro.simulated.proposing import describing, instruction

# The models there are, by how much their decisions are blurred by noise.
MODELS: Mapping[str, float] = {"small": 1.0, "large": 0.5}


def seen(message: Message) -> Message:
    """Return a message as the model sees it: of a text file its text, of others what they are."""
    parts = [part if isinstance(part, str) else _text_of(part) for part in message.parts]
    return Message(message.role, "\n".join(parts)) if parts else message


def _text_of(part: Attachment) -> str:
    if not part.mime_type.startswith("text/"):
        return part.short
    return part.content().decode("utf-8", "replace").strip()


@dataclass(frozen=True)
class SimulatedModel:
    """One simulated model: `name` seeds its peculiarities, `blur` scales its noise (0: none)."""

    name: str
    blur: float = 1.0

    def reply(
        self, messages: Sequence[Message], parameters: Mapping[str, Any], sample: int = 0
    ) -> str:
        """Return the reply's text.

        At temperature 0 (the default) it depends on the messages alone; above, on `sample` too.
        """
        messages = [seen(message) for message in messages]
        mind = self._mind(messages, parameters, sample)
        marked = marked_format.recognises(messages)
        task = marked_format.read(messages) if marked else plain_format.read(messages)
        write = marked_format.write if marked else plain_format.write
        text = self._meta(task, messages, mind)
        if text is not None:
            values = {slot.name: text for slot in task.slots}
            return write(task, values, "The examples show it.") if marked else text
        values, reasoning = answer(task, mind)
        return write(task, values, reasoning)

    def _meta(self, task: Task, messages: Sequence[Message], mind: Mind) -> str | None:
        """Return the text where an instruction or a description is asked for, else None."""
        if instruction.is_asked(task):
            return instruction.propose(task, messages, mind)
        if describing.is_asked(task):
            return describing.describe(task, mind)
        return None

    def _mind(
        self, messages: Sequence[Message], parameters: Mapping[str, Any], sample: int
    ) -> Mind:
        temperature = float(parameters.get("temperature") or 0.0)
        text = json.dumps([[m.role, m.content] for m in messages])
        drawn = sample if temperature > 0 else 0
        return Mind(
            self.name, noise.digest(self.name, text, temperature, drawn), temperature, self.blur
        )


def answer(task: Task, mind: Mind) -> tuple[dict[str, Any], str]:
    """Return (one value a slot, a short reasoning) for an ordinary task."""
    values = {}
    reasoning = ""
    alone = len(task.slots) == 1
    for slot in task.slots:
        demos = tuple(
            (d.inputs, d.outputs[slot.name]) for d in task.demos if slot.name in d.outputs
        )
        name = "" if alone else slot.name
        question = Question(name, task.instruction, task.query, demos, alone)
        filler = Filler(mind, slot.schema.get("$defs", {}))
        values[slot.name] = filler.fill(slot.schema, question)
        reasoning = reasoning or reason(question, values[slot.name])
    return values, reasoning
