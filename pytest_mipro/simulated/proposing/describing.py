"""Describes what it is shown in a few sentences, where a request asks for observations."""

from __future__ import annotations

import re

from pytest_mipro.simulated.formats.task import Mind, Task, joined
from pytest_mipro.simulated.language import noise
from pytest_mipro.simulated.language.english import listed, sentences
from pytest_mipro.simulated.proposing.evidence import frequent

_VERB = re.compile(r"\b(?:describ|observ|summar|characteri)\w*", re.IGNORECASE)
_OBJECT = re.compile(
    r"\b(?:data ?sets?|training (?:cases|examples|data)|pseudo-?code|"
    r"(?:LM|language[- ]model) programs?|programs? that call|"
    r"observations|source code|program's|pipeline of language models?)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"^\s*(?:async )?def (\w+)|^\s*class (\w+)", re.MULTILINE)


def is_asked(task: Task) -> bool:
    """Return whether the request asks for a description of a data set or a program."""
    free = len(task.slots) == 1 and task.slots[0].schema.get("type") == "string"
    said = task.instruction or joined(task.query)[:600]
    return free and bool(_VERB.search(said)) and bool(_OBJECT.search(said))


def describe(task: Task, mind: Mind) -> str:
    """Return two or three sentences from the frequent words of what is shown."""
    text = joined(task.query)
    functions = [one or two for one, two in _CODE.findall(text)]
    parts = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    # Rows that stand in one paragraph are counted by their sentences.
    topics = frequent(parts if len(parts) > 2 else sentences(text), 8)
    kept = [word for word in topics if noise.uniform(mind.draw, word) > 0.2] or topics
    if functions:
        steps = listed(list(dict.fromkeys(functions))[:6], "and")
        return f"The program consists of {steps}. It deals with {listed(kept[:5], 'and')}."
    if not kept:
        return "The examples are short texts."
    opening = noise.pick(
        ("The texts speak of", "Most examples are about", "The inputs deal with"), mind.draw
    )
    rest = f" Others mention {listed(kept[4:], 'or')}." if kept[4:] else ""
    return f"{opening} {listed(kept[:4], 'and')}.{rest}"
