"""Read lists and objects that a reply writes without JSON.

Bullets, "a, b", "[a, b]" and `name: value` lines.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_mipro.runtime.signature.answers.labels import LabelReader
from pytest_mipro.runtime.text.strict_json import load_json

_BULLET = re.compile(r"^(\s*)(?:[-*•+]|\(?\d{1,3}[.)])\s+(?=\S)")
_BRACKETED = re.compile(r"\[([^][{}]+)\]")
_LONGEST_INLINE = 2000  # characters of a list without bullets or brackets
_NO_ITEM = re.compile(
    r"[.!?:]\Z|\A(?:sure|certainly|of course|okay|yes)\Z|\A(?:here(?: you|'s| is| are)"
    r"|no|none|nothing|null|not|n/a|sorry|unfortunately|i|either|and|or)\b|\bor\b",
    re.IGNORECASE,
)
# "Tags: a, b"; with other words before the colon it may be a title, or what is not meant.
_LABEL = re.compile(
    r"[*_]*(?:(?:the|final|my|your) )?(?:tags?|labels?|answers?|results?|outputs?|topics?|items?"
    r"|categor(?:y|ies)|keywords?|intents?|entit(?:y|ies)|names?|lists?)[*_]*:[*_]*\s+(?=\S)",
    re.IGNORECASE,
)
_OF_OTHERS = re.compile(
    r"[*_]*(?:not|no|none|neither|never|without|except|exclud\w*|reject\w*|discard\w*|avoid"
    r"|ruled out|wrong|incorrect|irrelevant|unrelated|candidates|allowed)\b[^,:]{0,30}:",
    re.IGNORECASE,
)
_ONE_NUMBER = re.compile(r"[-+$€]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_FIELD = re.compile(
    r"\s*(?:[-*•+]\s+)?[*_`\"']*+([^\W\d][\w -]{0,60}?)[*_`\"']*+[ \t]*+:[ \t*_]*"
    r"(\S(?:.*[^ \t,])?)[ \t,]*"
)


_OTHER = re.compile(rf"[{{\[]|{_BULLET.pattern}")


def bullets(text: str) -> list[str] | None:
    """Return the items of a bulleted or numbered list, None where the text is none.

    A line before the list ends with a colon; what follows it stands behind a blank line.
    """
    before, items, after = [], list[str](), ""
    for line in text.strip().split("\n"):
        match = _BULLET.match(line)
        if match and not after.strip():
            if match[1] and items:  # an inner list
                return None
            items.append(_unquoted(line[match.end() :].strip()))
        elif items and (after or not line.strip()):
            after += line + "\n"
        elif items:
            return None
        else:
            before.append(line)
    lead = " ".join(before).strip("*_ ")
    if not items or (lead and not lead.endswith(":")) or any(map(_BULLET.match, after.split("\n"))):
        return None
    return items


def inline_items(text: str, *, of_texts: bool) -> list[str] | None:
    """Return the items of "a, b" or of a list with a line each, None where the text may be prose.

    `of_texts`: any text is an item, so that each must be short and say neither no nor a sentence.
    """
    lines = text.strip().split("\n")
    lines = lines[1:] if len(lines) > 1 and lines[0].rstrip("*_ ").endswith(":") else lines
    if len(text) > _LONGEST_INLINE or any(map(_OTHER.search, lines)):
        return None
    if len(lines) == 1:
        label = _LABEL.match(lines[0]) if lines[0].count(":") == 1 else None
        lines = [lines[0][label.end() :].strip("*_ ")] if label else lines
        if _ONE_NUMBER.fullmatch(lines[0].strip()) or _OF_OTHERS.match(lines[0]):
            return None
    items = [_unquoted(part.strip()) for part in lines] if len(lines) > 1 else _separated(lines[0])
    quoted = [f'"{item}"' for item in items] == lines
    return None if (of_texts and _prose(items)) or (len(items) < 2 and not quoted) else items


def bracketed_items(text: str) -> list[str] | None:
    """Return the items of "[a, b]", a list of labels without quotes, None where it is none."""
    listed = _BRACKETED.fullmatch(text.strip())
    if not listed or len(text) > _LONGEST_INLINE:
        return None
    items = _separated(" ".join(listed[1].split()))
    return items[:-1] if items and not items[-1] else items


def _separated(text: str) -> list[str]:
    """Return the items of a line such as "a, b", none of a blank one."""
    parts = next(csv.reader([text.replace("\r", " ")], skipinitialspace=True))
    return [_unquoted(part.strip()) for part in parts]


def _prose(items: Sequence[str]) -> bool:
    return any(not item or _NO_ITEM.search(item) or item.count(" ") > 2 for item in items)


def labelled_fields(text: str, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the object that a text writes as `name: value` lines, None where it holds others.

    `fields` are the schemas of the object's fields.
    """
    reader, found = LabelReader(fields), dict[str, Any]()
    lines = [line for line in text.split("\n") if line.strip()]
    lines = lines[1:] if len(lines) > 1 and lines[0].rstrip("*_ ").endswith(":") else lines
    for line in lines:
        match = _FIELD.fullmatch(line)
        name = reader.alone(match[1]) if match else None
        if match is None or name is None or name in found:
            return None
        said = _unquoted(match[2].strip())
        try:
            found[name] = said if fields[name].get("type") == "string" else load_json(said)
        except ValueError:
            found[name] = said
    return found or None


def _unquoted(text: str) -> str:
    for mark in ("**", '"', "'", "`"):
        inner = text[len(mark) : -len(mark)]
        if text == f"{mark}{inner}{mark}" and inner and mark not in inner:
            return inner
    return text
