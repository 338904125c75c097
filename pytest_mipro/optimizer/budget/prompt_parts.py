"""The parts of prompts in tokens: what a candidate changes, as the committed prompts measure it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_mipro.optimizer.budget.cost_model import Sizes
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.render import demo_messages


@dataclass(frozen=True)
class PromptParts:
    """Tokens summed over calls: of instructions, demos, and of each call if it were a demo.

    `lent` is the last sum without the calls whose prompts have no place for demos.
    """

    instruction: int = 0
    demos: int = 0
    demo: int = 0
    lent: int = 0

    def __add__(self, other: PromptParts) -> PromptParts:
        return PromptParts(
            self.instruction + other.instruction,
            self.demos + other.demos,
            self.demo + other.demo,
            self.lent + other.lent,
        )


def prompt_parts(
    calls: Iterable[ModuleCall], committed: Mapping[Path, Prompt], sizes: Sizes
) -> PromptParts:
    """Return the sum over the calls; those of modules without a committed prompt are left out."""
    parts = PromptParts()
    for call in calls:
        signature, output = call.signature, call.signature.output
        prompt = committed.get(signature.prompt_path)
        if prompt is None:
            continue
        messages = (m for demo in prompt.demos for m in demo_messages(signature, demo))
        shown = "".join(message.content for message in messages)
        reply = call.text if call.error else output.reply_text(call.output, call.reasoning)
        texts = prompt.instruction, shown, signature.user_text(call.inputs) + reply
        told = PromptParts(*(sizes.tokens(call.model, text) for text in texts))
        parts += replace(told, lent=told.demo if call.shows_demos else 0)
    return parts
