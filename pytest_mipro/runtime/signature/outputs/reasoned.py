"""Ask for a reasoning before the answer, and split the two in a reply."""

from __future__ import annotations

import re

_ANSWER_TAG = re.compile(r"<answer>", re.IGNORECASE)
_ANSWER_END = re.compile(r"</answer>", re.IGNORECASE)
_REASONING_BEGIN = re.compile(r"<reasoning>", re.IGNORECASE)
_REASONING_END = re.compile(r"</reasoning>", re.IGNORECASE)
_REASONING_TAG = re.compile(r"<reasoning>(.*?)</reasoning>", re.DOTALL | re.IGNORECASE)
_RULE = re.compile(
    r"^[ \t]*+(?:[`*_]*+(?:-{3,}|={3,}|\u2014{1,3})[`*_]*|(?=[`*_]*?(?:\*{3}|_{3}))[`*_]+)"
    r"[ \t]*\r?$",
    re.MULTILINE,
)
_NAME = r"(?:final )?(?:answer|output|result|reply|response)"
_ANSWER_LINE = re.compile(
    rf"^[ \t>#]*[*_]{{0,3}}{_NAME}[*_]{{0,3}}[ \t]*:[ \t]*[*_]{{0,3}}[ \t]*"
    rf"|^(?:[ \t]*#+[ \t]*[*_]{{0,3}}{_NAME}[*_]{{0,3}}|[*_]{{2,3}}{_NAME}[*_]{{2,3}})[ \t]*\n+",
    re.IGNORECASE | re.MULTILINE,
)
_REASONING_LABEL = re.compile(
    r"\A[ \t>#]*[*_]{0,3}(?:reasoning|thought|thinking)[*_]{0,3}[ \t]*:?[*_]{0,3}[ \t]*",
    re.IGNORECASE,
)


def request_text(wanted: str) -> str:
    """Return the sentence, without its end, that asks for a reasoning and for what is wanted."""
    return (
        "First write your reasoning between <reasoning> and </reasoning>, "
        f"then {wanted} between <answer> and </answer>"
    )


def write(reasoning: str | None, answer: str) -> str:
    """Return a reply in the form that is asked for; without a reasoning, only the answer."""
    said = f"<reasoning>\n{reasoning}\n</reasoning>\n" if reasoning else ""
    return f"{said}<answer>\n{answer}\n</answer>"


def split(text: str) -> tuple[str, str] | None:
    """Return (reasoning, answer) of a reply; None where nothing separates them.

    In this order: `<answer>` tags, the end of `<reasoning>`, the last rule such as `---` with text
    behind it, the last line that begins with `Answer:`.
    """
    opened = list(_ANSWER_TAG.finditer(text))
    if opened:
        start = _first_of_last(opened, text)
        ends = list(_ANSWER_END.finditer(text, start.end()))
        answer = text[start.end() : ends[-1].start() if ends else len(text)]
        return _reasoning(text[: start.start()]), _inner(answer)
    reasons = _reasonings(text)
    if reasons and text[reasons[-1].end() :].strip():
        return _reasoning(text[: reasons[-1].end()]), text[reasons[-1].end() :].strip()
    marks = [mark for mark in _RULE.finditer(text) if text[mark.end() :].strip()]
    marks = marks or [mark for mark in _ANSWER_LINE.finditer(text) if text[mark.end() :].strip()]
    if not marks:
        return None
    answer = text[marks[-1].end() :].strip("\r\n")
    return _reasoning(text[: marks[-1].start()]), _ANSWER_LINE.sub("", answer, count=1)


def _first_of_last(opened: list[re.Match[str]], text: str) -> re.Match[str]:
    """Return the tag that opens the last answer; behind a reasoning, it may name the tag."""
    start = opened[-1]
    reasons = _reasonings(text[: start.start()])
    for tag in reversed(opened[:-1] if reasons else []):
        closed = _ANSWER_END.search(text, tag.end(), start.start())
        line = text[tag.end() : start.start()].rpartition("\n")[2]
        if tag.start() < reasons[-1].end() or closed or not line.strip():
            break
        start = tag
    return start


def is_open(text: str) -> bool:
    """Return whether a reply begins a reasoning between tags and does not end it."""
    return bool(_REASONING_BEGIN.search(text)) and not _REASONING_END.search(text)


def last_paragraph(text: str) -> tuple[str, str]:
    """Return (what stands before, the last paragraph)."""
    before, _, last = text.strip().rpartition("\n\n")
    return _reasoning(before), last


def _inner(answer: str) -> str:
    """Return the text between tags without the line breaks that set it off."""
    answer = answer.removeprefix("\r").removeprefix("\n")
    return answer.removesuffix("\n").removesuffix("\r")


def _reasonings(text: str) -> list[re.Match[str]]:
    ends = list(_REASONING_END.finditer(text))  # a tag behind the last would be sought to no end
    return list(_REASONING_TAG.finditer(text, 0, ends[-1].end())) if ends else []


def _reasoning(text: str) -> str:
    tagged = _reasonings(text)
    said = tagged[-1][1] if tagged else _REASONING_LABEL.sub("", text, count=1)
    return str(said).strip().removeprefix("<reasoning>").strip()
