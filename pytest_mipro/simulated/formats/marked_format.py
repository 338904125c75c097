"""Reads and writes the chat format of field markers, `[[ ## name ## ]]`, as DSPy has it.

Where the system message asks for it, outputs are one JSON object instead of marked fields.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.simulated.formats.plain_format import typed_labels
from pytest_mipro.simulated.formats.task import Example, Fields, Slot, Task

_MARK = re.compile(r"^[ \t]*\[\[ ## (\w+) ## \]\][ \t]*", re.MULTILINE)
_OUTPUT_FIELDS = re.compile(
    r"output fields are:\s*\n(.*?)(?:\n\s*\n|\nAll interactions|\Z)", re.DOTALL
)
_FIELD_LINE = re.compile(r"^\s*\d+\.\s+`(\w+)`\s*(?:\((.*?)\))?[ \t]*:?[ \t]*(.*)$", re.MULTILINE)
_OBJECTIVE = re.compile(r"your objective is:\s*(.*)\Z", re.DOTALL)
_TAIL = re.compile(
    r"\n+Respond with (?:the corresponding output fields|a JSON object).*\Z", re.DOTALL
)
_AS_OBJECT = re.compile(r"\boutputs? (?:will|must|should) be a JSON object\b", re.IGNORECASE)
_DONE = "completed"
_REASONING_NAMES = frozenset({"reasoning", "rationale", "thoughts"})


def recognises(messages: Sequence[Message]) -> bool:
    """Return whether the messages are in this format: the system message, or a question's start.

    A request for an instruction may quote others that are in it.
    """
    found = {"system": _MARK.search, "user": _MARK.match}
    return any(found[m.role](m.content.strip()) for m in messages if m.role in found)


def read(messages: Sequence[Message]) -> Task:
    """Return the task of the messages."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    objective = _OBJECTIVE.search(system)
    instruction = textwrap.dedent(objective.group(1)).strip() if objective else system
    slots = _slots(system)
    reasoning = slots[0].name if len(slots) > 1 and slots[0].name in _REASONING_NAMES else ""
    as_object = bool(_AS_OBJECT.search(system))
    demos: list[Example] = []
    query: Fields = ()
    for message in messages:
        if message.role == "user":
            query = read_fields(without_wish(message.content))
        elif message.role == "assistant":
            demos.append(Example(query, _outputs(message.content, slots, as_object=as_object)))
    wanted = tuple(slot for slot in slots if slot.name != reasoning)
    return Task(_hanging(instruction), wanted, tuple(demos), query, reasoning, as_object)


def write(task: Task, values: Mapping[str, Any], reasoning: str) -> str:
    """Return the reply: one marker a field and the closing marker, or one JSON object."""
    if task.as_object:
        said = {task.reasoning: reasoning} if task.reasoning else {}
        said |= {slot.name: values[slot.name] for slot in task.slots}
        return json.dumps(said, ensure_ascii=False)
    parts = [f"[[ ## {task.reasoning} ## ]]\n{reasoning}"] if task.reasoning else []
    for slot in task.slots:
        value = values[slot.name]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        text = str(value) if isinstance(value, bool) else text
        parts.append(f"[[ ## {slot.name} ## ]]\n{text}")
    return "\n\n".join([*parts, f"[[ ## {_DONE} ## ]]"])


def without_wish(content: str) -> str:
    """Return a question without the paragraph that asks for the outputs."""
    return _TAIL.sub("", content)


def read_fields(content: str) -> Fields:
    """Return the marked fields of a message, without the closing marker."""
    found = list(_MARK.finditer(content))
    if not found:
        return ()
    ends = [mark.start() for mark in found[1:]] + [len(content)]
    return tuple(
        (mark.group(1), content[mark.end() : end].strip())
        for mark, end in zip(found, ends, strict=True)
        if mark.group(1) != _DONE
    )


def _outputs(reply: str, slots: Sequence[Slot], *, as_object: bool) -> dict[str, Any]:
    """Return the values in a demo's reply."""
    if as_object:
        value = _loaded(reply)
        return {slot.name: value[slot.name] for slot in slots if slot.name in value}
    given = dict(read_fields(reply))
    return {slot.name: _value(given[slot.name], slot) for slot in slots if slot.name in given}


def _slots(system: str) -> list[Slot]:
    listed = _OUTPUT_FIELDS.search(system)
    notes = dict(read_fields(system.split("your objective is:", maxsplit=1)[0]))
    lines = _FIELD_LINE.findall(listed.group(1)) if listed else []
    return [Slot(name, _schema(kind, notes.get(name, ""), about)) for name, kind, about in lines]


def _schema(kind: str, note: str, about: str) -> dict[str, Any]:
    """Return the schema that a field's type and the note behind its placeholder speak of."""
    schema: dict[str, Any] = {"type": "string"}
    options = re.search(r"exactly match[^:]*one of:\s*([^\n]*)", note)
    given = re.search(r"JSON schema:\s*(\{.*\})", note, re.DOTALL)
    literal = typed_labels(kind) if kind.startswith("Literal[") else []
    if options:
        schema = {"enum": [part.strip() for part in options.group(1).split(";")]}
    elif given:
        schema = _loaded(given.group(1)) or schema
    elif literal:
        schema = {"enum": literal}
    elif kind.strip() in _SCALARS:
        schema = {"type": _SCALARS[kind.strip()]}
    bare = about.strip() in ("", f"${{{about.strip(' ${}')}}}")
    return schema if bare else {**schema, "description": about.strip()}


_SCALARS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def _loaded(text: str) -> dict[str, Any]:
    """Return the JSON object that the text begins with, an empty one where there is none."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text.strip())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _value(text: str, slot: Slot) -> Any:
    if slot.schema.get("type") == "string" or "enum" in slot.schema:
        return text
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _hanging(text: str) -> str:
    """Return a text whose first line lost its indentation when it was cut out, evenly indented."""
    return "\n".join(line.strip() for line in text.splitlines())
