"""Reads and writes the plain chat format: a system message, demos as turns, tagged inputs.

The last user message holds the inputs as `<name>…</name>`, demos are user/assistant pairs before
it, and between them stands the conversation that the system message may name as an input. Messages
without tags are read too: the whole message is then one input named `input`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.signature.inputs.chat_history import SAID
from pytest_mipro.simulated.formats.shapes import shape_schema
from pytest_mipro.simulated.formats.task import Example, Fields, Slot, Task

_OPEN = re.compile(r"\s*<([^\W\d]\w*)>\n")
_NEXT_BLOCK = re.compile(r"\s*\Z|\s*\n<[^\W\d]\w*>\n")
_FORMAT = re.compile(
    r"(?:\A|\n\s*\n)(?=(?:First write|Reply with|Answer with|Respond with|Return)\b[^\n]*"
    r"(?:one of|`true` or `false`|number|JSON|reasoning))",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\bone of\b[^\n:]*:[ \t]*\n((?:[ \t]*[-*] [^\n]*(?:\n|\Z))+)", re.IGNORECASE)
_INLINE = re.compile(r"\bone of\b[^\n:]*:[ \t]*([^\n]+)", re.IGNORECASE)
_LITERAL = re.compile(r"\bLiteral\[([^\]\n]*)\]")
_LITERAL_VALUE = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_REASONING = re.compile(r"\breasoning\b.*?<answer>", re.IGNORECASE | re.DOTALL)
_REPLY = re.compile(r"<answer>\n?(.*?)\n?</answer>", re.DOTALL)
_SHAPE = re.compile(r"\bJSON (?:object|value) of this shape\b[^\n]*\n")
OUTPUT = "output"
REASONING = "reasoning"
_CONVERSATION = re.compile(rf"^- `(\w+)`: .*{re.escape(SAID)}$", re.MULTILINE)


def read(messages: Sequence[Message]) -> Task:
    """Return the task of the messages. Every list of messages has one, an empty list too."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    instruction, wanted = split_format(system)
    schema, reasoning = wanted_schema(wanted)
    named = _CONVERSATION.search(system)
    turns = [m for m in messages if m.role != "system"]
    pairs, query = _conversing(turns, named[1]) if named else _turns(turns)
    slot = Slot(OUTPUT, schema)
    demos = tuple(
        Example(read_fields(user), _values(reply, slot, reasoning=reasoning))
        for user, reply in pairs
    )
    return Task(instruction, (slot,), demos, query, REASONING if reasoning else "")


def write(task: Task, values: Mapping[str, Any], reasoning: str) -> str:
    """Return the reply that carries the value, after the reasoning where one is wanted."""
    value = values[OUTPUT]
    kind = task.slots[0].schema.get("type")
    bare = isinstance(value, str) and (kind == "string" or "enum" in task.slots[0].schema)
    text = value if bare else json.dumps(value, ensure_ascii=False)
    if not task.reasoning:
        return text
    return f"<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{text}\n</answer>"


def split_format(system: str) -> tuple[str, str]:
    """Return (instruction, format) of a system message; the format may be empty.

    What follows a list of labels, or a format of one line, is more of the instruction.
    """
    found = list(_FORMAT.finditer(system))
    if found:
        before, wanted = system[: found[-1].start()], system[found[-1].end() :]
        end = _end_of_format(wanted)
        return f"{before}\n{wanted[end:].lstrip()}".strip(), wanted[:end].strip()
    inline = _LISTED.search(system) or _INLINE.search(system)
    return system.strip(), inline.group(0) if inline else ""


def _end_of_format(wanted: str) -> int:
    if "JSON" in wanted or _REASONING.search(wanted):
        return len(wanted)
    line = len(wanted.partition("\n")[0])
    listed = _LISTED.search(wanted)
    return listed.end() if listed and listed.start() < line else line


def wanted_schema(wanted: str) -> tuple[dict[str, Any], bool]:
    """Return (JSON schema of the wanted value, whether a reasoning comes first)."""
    if (schema := _json_schema(wanted)) is not None:
        return schema, False
    reasoning = bool(_REASONING.search(wanted))
    labels = _labels(wanted)
    if labels:
        return {"enum": labels}, reasoning
    if "`true` or `false`" in wanted:
        return {"type": "boolean"}, reasoning
    if "whole number" in wanted:
        return {"type": "integer"}, reasoning
    if "one number" in wanted:
        return {"type": "number"}, reasoning
    return {"type": "string"}, reasoning


def listed_labels(text: str) -> list[str]:
    """Return the items of the text's first list that is introduced by "one of …:"."""
    listed = _LISTED.search(text)
    lines = listed.group(1).splitlines() if listed else []
    return [line.strip()[2:] for line in lines if line.strip()]


def typed_labels(text: str) -> list[str]:
    """Return the values of every `Literal[…]` in the text, as source code has it."""
    inner = "\n".join(_LITERAL.findall(text))
    return list(dict.fromkeys(one or two for one, two in _LITERAL_VALUE.findall(inner)))


def _labels(wanted: str) -> list[str]:
    listed = listed_labels(wanted)
    if listed:
        return listed
    inline = _INLINE.search(wanted)
    if inline:
        parts = re.split(r"[,;|]| or ", inline.group(1))
        return [part.strip(" .'\"`") for part in parts if part.strip(" .'\"`")]
    return []


def _json_schema(wanted: str) -> dict[str, Any] | None:
    """Return the schema that is shown, as it is or as a shape; None where none is."""
    if shape := _SHAPE.search(wanted):
        return shape_schema(wanted[shape.end() :])
    if "JSON schema" not in wanted:
        return None
    start = wanted.find("{", wanted.find("JSON schema"))
    if start < 0:
        return {}
    try:
        schema, _ = json.JSONDecoder().raw_decode(wanted[start:])
    except ValueError:
        return {}
    return schema if isinstance(schema, dict) else {}


def read_fields(content: str) -> Fields:
    """Return the tagged inputs of a message, or the whole message as the one input `input`."""
    fields, at = [], 0
    while opening := _OPEN.match(content, at):
        name, start = opening.group(1), opening.end()
        end = _closing(content, name, start)
        if end < 0:
            break
        fields.append((name, content[start:end]))
        at = end + len(name) + 4
    if not fields or content[at:].strip():
        return (("input", content),)
    return tuple(fields)


def _closing(content: str, name: str, start: int) -> int:
    """Return where the value ends: at the first closing tag before another block or the end."""
    mark, at = f"\n</{name}>", start - 1
    while (at := content.find(mark, at)) >= 0:
        if _NEXT_BLOCK.match(content, at + len(mark)):
            return at
        at += 1
    return -1


def _turns(messages: Sequence[Message]) -> tuple[list[tuple[str, str]], Fields]:
    """Return (demo pairs, query); a complaint about a reply repeats the question before."""
    pairs: list[tuple[str, str]] = []
    user = ""
    for message in messages:
        if message.role == "assistant":
            pairs.append((user, message.content))
            continue
        user = message.content
    complaint = re.match(r"Your reply could not be used\b", user)
    if complaint and pairs:
        asked, _ = pairs[-1]
        pairs = [pair for pair in pairs if pair[0] != asked]
        return pairs, read_fields(asked)
    return pairs, read_fields(user)


def _conversing(messages: Sequence[Message], name: str) -> tuple[list[tuple[str, str]], Fields]:
    """Return (demo pairs, query); the conversation after the demos is the query's field `name`."""
    if re.match(r"Your reply could not be used\b", messages[-1].content if messages else ""):
        messages = messages[:-2]
    at = 0
    while at + 1 < len(messages) and name in dict(read_fields(messages[at].content)):
        at += 2
    last = messages[-1].content if messages[at:] else ""
    asked = read_fields(last)
    if asked == (("input", last),):  # no tags: the conversation is all that is asked
        asked = ()
    shown = [{"role": m.role, "content": m.content} for m in messages[at : -1 if asked else None]]
    conversation = (name, json.dumps(shown, ensure_ascii=False))
    return _turns(messages[:at])[0], (conversation, *asked)


def _values(reply: str, slot: Slot, *, reasoning: bool) -> dict[str, Any]:
    """Return the slot's value in a demo's reply; texts that are not of the type stay texts."""
    found = _REPLY.search(reply) if reasoning else None
    body = found[1] if found else reply
    if slot.schema.get("type") == "string":
        return {slot.name: body}
    if "enum" in slot.schema:
        return {slot.name: body.strip()}
    try:
        return {slot.name: json.loads(body)}
    except ValueError:
        return {slot.name: body.strip()}
