"""Render a call as chat messages: one renderer for search, gate and production.

The system message holds instruction, descriptions of inputs and output format, each demo is a pair
of user and assistant messages, and the last user message holds the inputs. A chat history stands
before it as the messages that it is, in a demo as a value among the others. Values are inserted
once and never parsed, so `System:`, `{{x}}`, YAML or JSON in a value arrives unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary, ref

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.client.attachments import AttachedText, Attachment
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.prompts.placeholders import placeholders_of, split_text
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.signature import Signature, input_text
from pytest_mipro.runtime.signature.text_signature import TextSignature

DEMOS = "demos"
"""The placeholder that a prompt text fills in itself."""

DemoMessages = tuple[Message, Message]
"""What shows a demo: the user's message and the assistant's."""

# By identity, as equal demos may differ in the order of keys.
_demo_messages: WeakKeyDictionary[Signature, dict[int, tuple[ref[Demo], DemoMessages]]]
_demo_messages = WeakKeyDictionary()


def render(signature: Signature, prompt: Prompt, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the messages of one call; `inputs` are JSON values by name."""
    messages = [Message("system", system_text(signature, prompt.instruction))]
    for demo in prompt.demos:
        messages += demo_messages(signature, demo)
    turns = inputs.get(signature.history or "", ())
    messages += [Message(turn["role"], turn["content"]) for turn in turns]
    asked = {name: value for name, value in inputs.items() if name != signature.history}
    if asked or not turns:
        parts = _parts(asked) if signature.attached else [signature.user_text(asked)]
        messages.append(Message.of("user", parts))
    return tuple(messages)


def demo_messages(signature: Signature, demo: Demo) -> DemoMessages:
    """Return the messages that show a demo: what was asked and what was replied.

    They are made once and kept as long as the demo: most messages of most calls are demos.
    """
    kept, key = _demo_messages.setdefault(signature.plain or signature, {}), id(demo)
    known = kept.get(key)
    if known is not None:
        return known[1]
    reply = signature.output.reply_text(demo.output, demo.reasoning)
    messages = Message("user", signature.user_text(demo.inputs)), Message("assistant", reply)
    kept[key] = ref(demo, lambda _: kept.pop(key, None)), messages
    return messages


def system_text(signature: Signature, instruction: str) -> str:
    """Return the system message: the instruction, then what inputs are and the output format."""
    inputs = "\n".join(f"- `{name}`: {said}" for name, said in signature.described.items())
    parts = (instruction, inputs and f"The inputs:\n{inputs}", signature.output.instruction())
    return "\n\n".join(filter(None, parts))


def text_parts(signature: TextSignature, prompt: Prompt) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a prompt text says between its placeholders, and the names of these.

    The demos stand in the place of `{demos}`.
    """
    pieces, names = split_text(prompt.instruction)
    said, kept = [pieces[0]], []
    for name, piece in zip(names, pieces[1:], strict=True):
        if name == DEMOS:
            said[-1] += _demos_text(signature, prompt) + piece
        else:
            said.append(piece)
            kept.append(name)
    return tuple(said), tuple(kept)


def says_demos(prompt: Prompt) -> bool:
    """Return whether a prompt text has a place for the demos in itself."""
    return DEMOS in placeholders_of(prompt.instruction)


def _demos_text(signature: TextSignature, prompt: Prompt) -> str:
    return "\n\n".join(
        f"<example>\n{signature.user_text(demo.inputs)}\n\nReply:\n"
        f"{signature.output.reply_text(demo.output, None)}\n</example>"
        for demo in prompt.demos
    )


def _parts(inputs: Mapping[str, Any]) -> list[str | Attachment]:
    """Return `input_text` in parts, with images and files in place of what is shown of them."""
    parts: list[str | Attachment] = []
    text = ""
    for name, value in inputs.items():
        items = value if isinstance(value, list) else [value]
        held = [item.held for item in items if isinstance(item, AttachedText)]
        text += ("\n\n" if text else "") + (f"<{name}>" if held else input_text({name: value}))
        if held:
            parts += [text, *held]
            text = f"</{name}>"
    return [*parts, text]


def corrective_messages(reply: str, error: OutputParseError) -> tuple[Message, Message]:
    """Return the messages that follow an unusable reply: the reply, and what is wrong with it."""
    correction = (
        f"Your reply could not be used: {error}. "
        "Reply again, in the format that was asked for and with nothing else."
    )
    # some endpoints refuse a message without text
    return Message("assistant", reply if reply.strip() else "…"), Message("user", correction)
