"""Tell whether what a proposer model wrote is new: small models repeat what they are asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_mipro.runtime.client.contract import Message

# The section in which the meta-prompts say what is to be written: the last one of this heading.
_TASK, _NEXT = "\n## Task\n", "\n## "
_LONG_LINE = 20
_PHRASE = 5  # words; shorter ones, as the names of labels, may well be those of the request
_TASK_PHRASE = 8  # words of what is asked for, which no instruction has by chance
# The request's own lines about scores, as they are or with other numbers; a rubric has whole ones.
_TALLY = re.compile(
    r"[#*\s]*(?:score \d\.\d+:?|(?:example|input) \d+[:.(, ]+(?:passed|failed|right|wrong)\b.*"
    r"|(?:current|new) instruction, score \d.*)[*\s]*",
    re.IGNORECASE,
)
_ASKS_FOR_ONE = re.compile(
    r"(?:please )?(?:re)?(?:write|create|propose|generate|provide)\b[^.\n]{0,40}"
    r"\b(?:instructions?|prompts?)\b",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(
    r"\b(?:the|an?|this|your) (?:new|better|current) instruction\b", re.IGNORECASE
)
_ON_PROMPTS = re.compile(r"\b(?:instruction|prompt)", re.IGNORECASE)


def repeats(
    instruction: str,
    messages: Sequence[Message],
    known: Iterable[str],
    quotable: Iterable[str] = (),
) -> bool:
    """Return whether an instruction is one of those known, or says mostly what was asked.

    That is the request itself, the inputs of its examples, its scores, that an instruction is to be
    written, or what it was to hold. The texts that are `quotable` may be quoted, but not be all of
    it: feedback and right replies hold rules. Without known texts it is no instruction that is
    looked at, but a summary.
    """
    texts, given = list(known), list(quotable)
    if _plain(instruction) in map(_plain, (*texts, *given)):  # a reply alone is no instruction
        return True
    said = [line.strip() for line in instruction.split("\n") if line.strip()]
    if any(_TALLY.fullmatch(line) for line in said):
        return True
    if _ASKS_FOR_ONE.match(instruction) and not any(map(_ON_PROMPTS.search, texts)):
        return True
    if texts and _speaks_of_its_making(instruction, messages, [*texts, *given]):
        return True
    lines = {line.strip() for text in texts for line in text.split("\n")}
    asked = {line.strip() for message in messages for line in message.content.split("\n")} - lines
    if said[0] in asked and not set(said) - asked - lines:  # a heading, and what stood below it
        return True
    long = [line for line in said if len(line) >= _LONG_LINE]  # labels may be listed as they were
    copied = sum(len(line) for line in long if line in asked)
    return 2 * copied > sum(map(len, long)) or _quotes(instruction, messages, [*texts, *given])


def _speaks_of_its_making(
    instruction: str, messages: Sequence[Message], known: Sequence[str]
) -> bool:
    """Return whether it tells of a new or the current instruction, or of what was to be written.

    That is a phrase of the request's last section on the task, unless a known text has it.
    """
    if _OF_ITSELF.search(instruction) and not any(map(_ON_PROMPTS.search, known)):
        return True
    holding = (message.content for message in reversed(messages) if _TASK in message.content)
    task = next(holding, "").rpartition(_TASK)[2].partition(_NEXT)[0]
    own = set(_phrases(task, _TASK_PHRASE))
    own.difference_update(*(_phrases(text, _TASK_PHRASE) for text in known))
    return not own.isdisjoint(_phrases(instruction, _TASK_PHRASE))


def _quotes(instruction: str, messages: Sequence[Message], known: Iterable[str]) -> bool:
    """Return whether most phrases that no known text has are the request's.

    What it says more than once is no single example: inputs may begin with the task itself.
    """
    asked = Counter(phrase for message in messages for phrase in _phrases(message.content))
    old = {phrase for text in known for phrase in _phrases(text)}
    old |= {phrase for phrase, count in asked.items() if count > 1}
    fresh = [phrase for phrase in _phrases(instruction) if phrase not in old]
    return 2 * sum(phrase in asked for phrase in fresh) > len(fresh)


def _phrases(text: str, length: int = _PHRASE) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
