"""Take the instruction out of what a proposer model replies, or say why there is none to take."""

from __future__ import annotations

import re

from pytest_mipro.optimizer.proposing.no_instruction import (
    WHAT,
    Problem,
    no_instruction,
    said_aloud,
    several,
)
from pytest_mipro.runtime.signature.answers.json_reply import json_values
from pytest_mipro.runtime.signature.answers.reply_text import (
    bare,
    normalise_instruction,
    only_fence,
)
from pytest_mipro.runtime.signature.answers.thoughts import without_thoughts

CUT = ("length", "max_tokens")
"""The reasons of a reply that ended at its limit, as providers name them."""
_NEW = r"(?:new|improved|revised|updated|better|final|proposed|rewritten|optimi[sz]ed|suggested)"
_BOLD = r"(?:\*\*|__|`)?"
_TAGGED = re.compile(
    rf"{_BOLD}<((?:{_NEW}[_-])?{WHAT}s?)>{_BOLD}(.*?)(?:{_BOLD}(</\1>){_BOLD}|(?={_BOLD}<\1>)|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPED_TAG = re.compile(rf"&lt;(/?(?:{_NEW}[_-])?{WHAT}s?)&gt;", re.IGNORECASE)
_THINKING = re.compile(
    r"\A\s*<(reasoning|analysis|rationale|scratchpad|reflection)>.*?</\1>\s*",
    re.DOTALL | re.IGNORECASE,
)
_FENCE = re.compile(r"^(`{3,}|~{3,})([\w-]*)[ \t]*\n(.*?)\n?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_MARKS = r"[ \t]*(?:#+[ \t]*)?[*_]{0,3}"
_ENDS = r"[*_]{0,3}[ \t]*:?[ \t]*[*_]{0,3}[ \t]*"
# A line that announces the instruction: a heading, a label, or a sentence with a colon.
_HEADING = re.compile(
    rf"^{_MARKS}(?:the |my |your )?(?:{_NEW} )+{WHAT}s?(?: text| for the module)?{_ENDS}$"
    rf"|^{_MARKS}{WHAT}[*_]{{0,3}}:[*_]{{0,3}}[ \t]*$"
    rf"|^[^\n]{{0,80}}\b(?:here(?:['\u2019]s| is| are)|below (?:is|are)|this is|i (?:propose"
    rf"|suggest|would (?:use|write)))\b"
    rf"[^\n]{{0,100}}\b(?:{WHAT}s?|version|wording|rewrite|revision)\b[^\n]{{0,100}}:{_ENDS}$",
    re.IGNORECASE | re.MULTILINE,
)
_FIRST_HEADING = re.compile(
    rf"\A{_MARKS}(?:the )?{WHAT}s?{_ENDS}\n"
    rf"|\A{_MARKS}(?:{_NEW} )*{WHAT}[*_]{{0,3}}[ \t]*:[*_]{{0,3}}[ \t]*(?=\S)"
    rf"|\A[^\n]{{0,80}}\bhere(?:['\u2019]s| is)\b[^\n]{{0,60}}\b{WHAT}[ \t]*:[ \t]*(?=\S)"
    r"|\A(?:here (?:it is|you go)|(?:sure|certainly|of course|okay|ok|great|absolutely|got it)"
    r"(?=[,;!.:]|[ \t]*[-\u2013\u2014(]|[^\n]{0,40}(?:\bhere\b|!)| thing\b))"
    r"[^\n]{0,80}[!.:][ \t]*\n+",
    re.IGNORECASE,
)
_RULE = re.compile(r"^[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*$", re.MULTILINE)
# What models add behind the instruction: why, what changed, an offer.
_AFTER = re.compile(
    rf"^{_MARKS}(?:why (?:this|it|these)\b|key (?:changes|improvements|points|differences)"
    rf"|(?:summary of )?(?:the )?"
    r"(?:main )?changes(?: made)?\b|what (?:i(?:['\u2019]ve)? )?changed"
    r"|improvements(?: made)?\b)[^\n]{0,60}$",
    re.IGNORECASE | re.MULTILINE,
)
_MAYBE_AFTER = re.compile(
    rf"^{_MARKS}(?:explanation|rationale|reasoning|justification|notes?"
    rf"|comments?)(?: of [^\n]{{0,40}})?{_ENDS}"
    r"(?:\n|(?=\S))",
    re.IGNORECASE | re.MULTILINE,
)
_ON_THE_CHANGE = re.compile(
    rf"\b(?:this|the|these) (?:{_NEW} )?(?:{WHAT}|version|wording|revision|changes|failing"
    rf"|failures)\b"
    r"|\bi(?:['\u2019]ve| have)? (?:added|changed|made|kept|removed|rewrote|included"
    r"|clarified)\b|\bimprov",
    re.IGNORECASE,
)
_REMARK = re.compile(
    rf"(?:this (?:{_NEW} )?(?:{WHAT}|version|wording|rewrite) (?!must|may not|shall"
    rf"|is (?:secret|confidential))"
    r"|these changes\b|i(?:['\u2019]ve| have)? (?:also )?(?:added|changed|made|kept|removed"
    r"|rewrote|included|tried|focused)\b"
    rf"|let me know\b|(?:i )?hope (?:this|that|it)\b|feel free to (?:ask|adjust|modify|let"
    rf"|tweak)\b|would you like\b"
    rf"|the {_NEW} {WHAT}\b|(?:it|this|that) (?:now |should )?(?:addresses|helps?"
    rf"|improves?|fix(?:es)?"
    rf"|raises?|clarifies|should score)\b"
    r"|(?:note|p\.?s\.?):? (?:that )?(?:i|this)\b)",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"\b(?:example|format|output|reply|like this|sample|template|schema|layout|structure"
    r"|as follows)\b",
    re.IGNORECASE,
)
_ON_THE_TASK = re.compile(
    rf"\b(?:here(?:['\u2019]s| is)"
    rf"|examples?|fail\w*|{WHAT}|current|module|score|improv\w*|cases)\b",
    re.IGNORECASE,
)
# In "between <instruction> and </instruction>".
_BETWEEN = re.compile(r"[\s.…]*(?:and|or)?[\s.…]*", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "«": "»", "`": "`"}


def instruction_of(reply: str, finish_reason: str = "stop") -> tuple[str, Problem]:
    """Return (instruction, problem) of a reply: one of the two is empty.

    The last `<instruction>` block counts; without one, what is left of the reply without thoughts,
    announcement, fence, quotes and remarks on the change.
    """
    if finish_reason in CUT:
        return "", "cut"
    said = _ESCAPED_TAG.sub(r"<\1>", without_thoughts(reply).replace("\r\n", "\n"))
    text = _THINKING.sub("", said).strip()
    blocks = _blocks(text)
    if not blocks and several(text):
        return "", "several"
    found = _dressed(blocks[-1]) if blocks else _stripped(_TAGGED.sub("", text).strip())
    found = "" if _HEADING.fullmatch(found) else found
    instruction = normalise_instruction(found).strip()
    nothing = bare(instruction).casefold() in ("null", "none", "n/a")
    if nothing or not re.search(r"\w", instruction):
        return "", "empty"
    problem = no_instruction(instruction)
    if not blocks and said_aloud(instruction):
        problem = "empty"
    return ("", problem) if problem else (instruction, "")


def _blocks(text: str) -> list[str]:
    """Return what stands between tags; what follows the last one only if no other is closed."""
    found = [match for match in _TAGGED.finditer(text) if not _BETWEEN.fullmatch(match[2])]
    closed = [match for match in found if match[3]]
    ended = [match for match in found if match.end() < len(text)]  # by another opening tag
    return [match[2].strip() for match in closed or ended or found]


def _stripped(text: str) -> str:
    as_json = _of_json(text)
    if as_json is not None:
        return as_json
    headings = [found for found in _HEADING.finditer(text) if text[found.end() :].strip()]
    if headings:
        text = _section(text[headings[-1].end() :].strip(), headings[-1][0])
    text, count = _FIRST_HEADING.subn("", text, count=1)
    text = _between_rules(text.strip(), announced=bool(headings or count))
    return _dressed(_without_remarks(_fenced(text, announced=bool(headings or count))))


def _section(text: str, heading: str) -> str:
    """Return the text up to a heading of the same level that gives reasons."""
    level = heading[: len(heading) - len(heading.lstrip("#"))]
    ends = [found.start() for found in _MAYBE_AFTER.finditer(text) if level]
    same = [end for end in ends if text.startswith(f"{level} ", end) and text[:end].strip()]
    return text[: min(same)].strip() if same else text


def _dressed(text: str) -> str:
    """Return the instruction without a fence, a label, quotes or quote marks around all of it."""
    whole = _FENCE.fullmatch(text)
    if whole and whole[1] not in whole[3]:
        text = whole[3].strip()
    text = _FIRST_HEADING.sub("", text, count=1).strip()
    lines = text.split("\n")
    if all(line.startswith(">") for line in lines):
        text = "\n".join(line[1:].removeprefix(" ") for line in lines).strip()
    inner = text[1:-1]
    marks = re.sub(r"(?<=\w)['\u2019](?=\w)", "", inner)  # an apostrophe closes no quotes
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and not {text[0], text[-1]} & set(marks):
        return inner
    return text


def _of_json(text: str) -> str | None:
    """Return the only text of a JSON object, or the one that its key calls an instruction."""
    body = only_fence(text) if text.startswith("```") else text
    if body is None or not body.lstrip().startswith("{"):
        return None
    try:
        values = [value for value in json_values(body) if isinstance(value, dict)]
    except ValueError:
        return None
    texts = {key: item for value in values for key, item in value.items() if isinstance(item, str)}
    named = [
        item for key, item in texts.items() if re.search("instruction|prompt", key, re.IGNORECASE)
    ]
    if len(named) == 1:
        return named[0]
    return next(iter(texts.values())) if len(texts) == 1 else None


def _between_rules(text: str, *, announced: bool) -> str:
    """Return what stands between two rules such as `---`, if the announced text begins with one."""
    first = _RULE.match(text)
    if not announced or first is None:
        return text
    second = _RULE.search(text, first.end())
    return text[first.end() : second.start() if second else len(text)].strip()


def _fenced(text: str, *, announced: bool) -> str:
    """Return the block that holds the instruction; the text where its blocks are parts of it."""
    blocks = list(_FENCE.finditer(text))
    if not blocks:
        return text
    first = blocks[0]
    before, after = text[: first.start()].strip(), text[first.end() :].strip()
    if not before:  # what follows is commentary
        return first[3] if len(blocks) == 1 or announced else text
    if not _ON_THE_TASK.search(before):
        return text
    data = first[2].lower() not in ("", "text", "markdown", "md") or first[3].strip()[:1] in "{["
    if len(blocks) > 1 or data or _EXAMPLE.search(before.split("\n")[-1]):
        return text
    return text if _without_remarks(f"x\n\n{after}") != "x" and after else first[3]


def _without_remarks(text: str) -> str:
    """Return the text without what is said about the instruction behind it."""
    ends = [found.start() for found in _AFTER.finditer(text)]
    maybe = _MAYBE_AFTER.finditer(text)
    ends += [found.start() for found in maybe if _ON_THE_CHANGE.search(text, found.end())]
    ends = [end for end in ends if text[:end].strip()]
    paragraphs = re.split(r"\n[ \t]*\n", text[: min(ends)] if ends else text)
    while len(paragraphs) > 1 and (
        _REMARK.match(paragraphs[-1].strip().lstrip("*_>-( ")) or not paragraphs[-1].strip()
    ):
        paragraphs.pop()
    return re.sub(r"\n+[ \t]*(?:-{3,}|\*{3,})\s*\Z", "", "\n\n".join(paragraphs)).strip()
