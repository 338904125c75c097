"""Find the places of a reply where its one answer may stand, the most explicit first.

What a person would read as one clear answer is the answer; what a person would ask back about
raises `UnclearError`. A wrong reading is worse than an error, since the model is asked once more
after an error.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet
from typing import Protocol

from pytest_mipro.runtime.signature.answers.json_reply import json_values, scalars
from pytest_mipro.runtime.signature.answers.reply_text import only_fence


class UnclearError(ValueError):
    """The reply states no value (`none`), or not plainly one; the text says what it does."""

    def __init__(self, text: str, *, none: bool = False) -> None:
        super().__init__(text)
        self.none = none


class Reader(Protocol):
    """Reads values of one type; equal values are equal answers."""

    def alone(self, part: str) -> Hashable | None:
        """Return the value that a part of a reply is, None where it is none."""

    def head(self, part: str) -> Hashable | None:
        """Return the value that a part begins with and goes on to explain, None without one."""

    def prose(self, text: str) -> Hashable:
        """Return the value that sentences state; raises UnclearError."""

    def named(self, text: str) -> AbstractSet[Hashable]:
        """Return the values that a text names in any way."""


_ANSWER = r"(?:answer|verdict|decision|conclusion|prediction|output|result)"
_TAG = re.compile(
    r"<(final_answer|answer|output|result|label|value|response)>(.*?)(?:</\1>|\Z)"
    r"|\\boxed\{(?:\\text\{)?([^{}]*)\}",
    re.DOTALL | re.IGNORECASE,
)
_ELEMENT = re.compile(r"\A<([\w-]+)>([^<>]*)</\1>\Z")
# Possessive: a run that two parts of a pattern could share is tried in each of its divisions.
_BEFORE = r"^[ \t>#*_`+-]*+"
_SAID = r"(?:final |correct |my |the ){0,4}"
_ANSWER_LINE = re.compile(
    rf"(?:{_BEFORE}|\b){_SAID}{_ANSWER}[*_`\"]*+(?:[ \t]*+[:=][ \t]*+|"
    r" (?:is|would be|should be|must be)[: ]++)[*_`]*+[ \t]*+"
    r"(\S(?:[ \t]*+[^ \t\n])*?)[ \t]*+(?=\.\s|$)",
    re.IGNORECASE | re.MULTILINE,
)
_ANNOUNCED = re.compile(
    rf"{_BEFORE}{_SAID}(?:{_ANSWER}|value|label|category|response)"
    r"[*_`]*+[ \t]*+:?+[*_` \t]*+\n\s*+(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_LABELLED = re.compile(
    rf"{_BEFORE}(?:\d+[.)] )?([^\W\d][\w -]{{0,40}}?)[*_`\"]*+[ \t]*+[:=\uff1a][*_` \t]*(\S.*)$",
    re.MULTILINE,
)
_DENIED = re.compile(
    r"\b(?:not|rejected|excluded|wrong|incorrect|ruled out|never)\b", re.IGNORECASE
)
_RETRACTED = re.compile(
    r"\b(?:actually|wait|correction|scratch that|on second thought|alternatively|otherwise|either"
    r"|(?:could|might|may|would|can) (?:also|equally|as well)|also (?:be|fits?)|as well as"
    r"|maybe|perhaps|possibly|or rather|unless|if not|alternatives?|runner-up"
    r"|second(?:ary)? (?:choice|option|guess)|i mean)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text."""
    return [part for part in _SENTENCE.split(text) if part.strip()]


def stated(text: str, reader: Reader) -> Hashable:
    """Return the one value that a reply states; raises UnclearError."""
    value = reader.alone(text)
    if value is not None:
        return value
    for parts in _places(text):
        found = {value for part in parts if (value := _read(part, reader)) is not None}
        if len(found) > 1:
            raise UnclearError("it states several values")
        if found:
            return found.pop()
    return _in_lines(text, reader)


def explicit_parts(text: str) -> list[str]:
    """Return the parts that a reply marks as its answer: tagged, labelled or fenced."""
    return [part for parts in _places(text) for part in parts]


def _read(part: str, reader: Reader) -> Hashable | None:
    value = reader.alone(part)
    if value is None and len(part) < 200:  # "Answer: billing, since …"
        value = reader.head(part)
    return value


def _places(text: str) -> Iterator[list[str]]:
    yield [(inner or boxed).strip() for _, inner, boxed in _TAG.findall(text)]
    yield [match[2].strip() for match in [_ELEMENT.match(text.strip())] if match]
    yield [*_ANSWER_LINE.findall(text), *_ANNOUNCED.findall(text)]
    yield [part for value in json_values(text) for part in scalars(value)]
    fenced = only_fence(text)
    yield [] if fenced is None else [fenced]
    yield [part for label, part in _LABELLED.findall(text) if not _DENIED.search(label)]


def _in_lines(text: str, reader: Reader) -> Hashable:
    """Return the value of a line of its own, of the first words, or of a sentence."""
    lines = [line for line in text.split("\n") if line.strip()]
    found = {value: line for line in lines if (value := _read(line, reader)) is not None}
    if len(found) > 1:
        raise UnclearError("it states several values")
    if not found:
        return reader.prose(text)
    [(value, line)] = found.items()
    rest = text.partition(line)[2]
    for sentence in sentences(rest):
        if _RETRACTED.search(sentence) and reader.named(sentence) - {value}:
            raise UnclearError("it takes its answer back")
    return value
