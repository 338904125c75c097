"""Reads what an instruction wants a text to say: "If X, tell them Y", "Always mention Z"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pytest_mipro.simulated.language.english import as_sentence, sentences
from pytest_mipro.simulated.language.tokens import is_request

_VERB = (
    r"(?:say|mention|tell|state|include|quote|explain|note|remind|inform|point out|promise|offer|"
    r"add|write|ask|repeat|name|give|copy|assure|advise|confirm|cite|apologi[sz]e|thank)"
)
_DIRECTIVE = re.compile(
    rf"(?:\A|[,:]\s*|\b(?:always|also|then|please|must|should|and|to)\s+)(?P<verb>{_VERB})\b(?P<rest>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION_FIRST = re.compile(
    r"\A\W*(?:(?:and|but|also)\s+)?(?:if|when|whenever|for|in case(?: of)?|with|on|where)\b"
    r"(?P<condition>.*?)(?:,|:|\bthen\b)\s*(?P<rest>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_LABEL_FIRST = re.compile(
    r"\A[`'\"]?(?P<condition>[\w /-]{1,40}?)[`'\"]?\s*:\s*(?P<rest>.*)\Z", re.DOTALL
)
_CONDITION_LAST = re.compile(
    r"\s(?:if|when|whenever|in case|for (?=(?:\w+ ){1,2}\w*s\Z))\b(?P<condition>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_ADDRESSEE = re.compile(
    r"\A\s*(?:to\s+)?(?:them|him|her|(?:the|a|an|every|each)\s+\w+(?=\s+(?:that|about|how|to)\b))",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“']([^\"”“]{3,}?)[\"”'](?=[\s.,;)]|\Z)")
_LEAD = re.compile(
    r"\A\W*(?:that|with|about|of|how|the words?|the phrase|the sentence|the text)\b\s*",
    re.IGNORECASE,
)
_MAKING = re.compile(r"write|give|name|add|ask|offer|repeat", re.IGNORECASE)
_ASKING = re.compile(
    r"\A(?:in\s+(?:\w+\s+){1,3})?(?:what|which|who|whose|whether|why|where)\b", re.IGNORECASE
)
_NEVER = re.compile(r"\b(?:never|don't|do not|avoid|not)\s+\w+", re.IGNORECASE)


@dataclass(frozen=True)
class Directive:
    """Say `content` where `condition` holds; an empty condition always holds.

    `content` is as the instruction has it; `verb` is the verb that asks for it.
    """

    condition: str
    verb: str
    content: str

    @property
    def is_copy(self) -> bool:
        """Whether it asks to copy an identifier of the input instead of saying something."""
        return self.verb.lower() != "ask" and is_request(self.content)

    def spoken(self) -> str:
        """Return the sentence that obeys: quoted words as they are, else the content itself."""
        quoted = _QUOTED.findall(self.content)
        if quoted:
            return " ".join(as_sentence(text) for text in quoted)
        if self.verb.lower().startswith("apologi"):
            return as_sentence(f"We apologise {self.content}")
        if self.verb.lower() == "thank":
            return as_sentence(f"Thank you {self.content}")
        if self.verb.lower() == "ask" and self.content.lower().startswith("for "):
            return as_sentence(f"Please send us {self.content[4:]}")
        return as_sentence(self.content)


@lru_cache(maxsize=512)
def directives(instruction: str) -> tuple[Directive, ...]:
    """Return the directives of the instruction in order; prohibitions are left out."""
    found = []
    for line in instruction.splitlines():
        for sentence in sentences(line):
            found += _read(sentence)
    return tuple(found)


def _read(sentence: str) -> list[Directive]:
    condition, rest = "", sentence
    first = _CONDITION_FIRST.match(sentence) or _LABEL_FIRST.match(sentence)
    if first:
        condition, rest = first.group("condition").strip(), first.group("rest")
    if _NEVER.match(rest.strip()):
        return []
    match = _DIRECTIVE.search(rest)
    if not match:
        return []
    content = match.group("rest")
    last = None if condition else _CONDITION_LAST.search(content)
    if last and not _inside_quotes(content, last.start()):
        condition, content = last.group("condition").strip(), content[: last.start()]
    said = _ADDRESSEE.sub("", content).strip()
    content = _LEAD.sub("", said).strip(" .")
    plain = _MAKING.match(match.group("verb")) and not re.match(r"that\b|\W*[\"\u201c]|for\b", said)
    if plain and not is_request(content):
        return []  # "Write a reply" is the task itself
    if _ASKING.match(said) and not is_request(content):
        return []  # and so is "Note what the letter is about": the input holds what to say
    return [Directive(condition.strip(" ."), match.group("verb"), content)] if content else []


def _inside_quotes(text: str, at: int) -> bool:
    return text[:at].count('"') % 2 == 1 or text.rfind("“", 0, at) > text.rfind("”", 0, at)
