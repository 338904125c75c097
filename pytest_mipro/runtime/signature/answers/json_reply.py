"""Find JSON values in a reply, and the one among them that fits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.answers.reply_text import only_fence
from pytest_mipro.runtime.text.strict_json import NotFiniteError, load_json

# Strings, names without quotes, comments, a comma before a closing bracket, and Python's null.
_LOOSE = re.compile(
    r"(\"(?:\\.|[^\"\\])*+(?:\"|\Z))|'((?:\\.|[^'\\])*+)(?:'|\Z)|\u201c([^\u201c\u201d]*)\u201d"
    r"|(?<=[{,\s])([A-Za-z_]\w*)(?=\s*:)|\b(True|False|None)\b"
    r"|//[^\n]*|/\*.*?(?:\*/|\Z)|,(?=\s*+(?://[^\n]*+\s*+)?[}\]])",
    re.DOTALL,
)
_PYTHON = {"True": "true", "False": "false", "None": "null"}
_BRACKET = re.compile(r"[{\[]")
# So JSON begins, and no prose in brackets.
_BEGINS = re.compile(r"\{\s*+(?:[\"'\u201c]|[A-Za-z_]\w*+\s*+:)|\[\s*+[\"'\u201c{\[]")
_MARK = re.compile(r"\\.|[\"'{}\[\]]", re.DOTALL)
_OPENING = re.compile(r"<(answer|output|result|json|response)>", re.IGNORECASE)
_REASON = re.compile(
    r"(?:reason|explan|rational|justif|comment|note|why|thought|analysis|evidence|confidence)",
    re.IGNORECASE,
)
_MOST_READINGS = 20  # of the whole text in vain: brackets in brackets would take quadratic time


def json_values(text: str) -> list[Any]:
    """Return the outermost JSON objects and arrays in a text, in order.

    Trailing commas, comments and Python's spelling of a value are borne with. What stands in JSON
    that was cut, or can't be read, is a part of a value and none of its own.
    """
    found: list[Any] = []
    at, left = 0, _MOST_READINGS * len(text)
    while left > 0 and (opening := _BRACKET.search(text, at)):
        start, at = opening.span()
        closed = _closing(text, start)
        value, end = None, len(text)
        if closed is not None:
            value, end = _loaded(text[start:closed]), closed
        if value is not None:
            found.append(value)
        else:
            left -= end - start
        if value is not None or _BEGINS.match(text, start):
            at = end
    return found


def _loaded(text: str) -> Any:
    """Return the value of a bracketed text, None where it is no JSON."""
    for spelled in (text, _LOOSE.sub(_strict, text)):
        try:
            return load_json(spelled, repeated_keys=True)
        except NotFiniteError:
            raise
        except ValueError:
            continue
    return None


def _strict(match: re.Match[str]) -> str:
    """Return the JSON spelling of what models write instead."""
    double, single, curly, name, constant = match.groups()
    if double:
        return double.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "")
    if single is not None:
        return json.dumps(single.replace("\\'", "'").replace("\\n", "\n"), ensure_ascii=False)
    if curly is not None or name:
        return json.dumps(curly or name or "", ensure_ascii=False)
    return _PYTHON.get(constant or "", "")


def _closing(text: str, start: int) -> int | None:
    """Return where the bracket that opens at `start` has closed, None where it never does."""
    depth, quote = 0, ""
    for match in _MARK.finditer(text, start):
        mark = match[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark == '"' or (mark == "'" and not text[match.start() - 1].isalnum()):
            quote = mark
        elif mark in ("{", "["):
            depth += 1
        elif mark in ("}", "]"):
            depth -= 1
            if depth == 0:
                return match.end()
    return None


def scalars(value: Any) -> Iterator[str]:
    """Yield the texts and other single values in a JSON value, as texts; reasons stay out."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not _REASON.match(str(key)):
                yield from scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def fitting_json(text: str, fits: Callable[[Any], Any], fields: Iterable[str]) -> list[Any]:
    """Return the outputs of the distinct JSON values that fit, in the most explicit place with any.

    `fits` returns the output of a JSON value or raises OutputParseError; `fields` are the names of
    an object's fields, none where the type is no object. Raises the first error where the reply
    has JSON values and none fits. Empty without a JSON value.
    """
    error: OutputParseError | None = None
    for place in _json_places(text):
        valid: dict[str, Any] = {}
        for value in json_values(place):
            for inner in _unwrapped(value, frozenset(fields)):
                try:
                    output = fits(inner)
                except OutputParseError as problem:
                    error = error or problem
                else:
                    valid[json.dumps(inner, sort_keys=True)] = output
                    break
        if valid:
            return list(valid.values())
    if error:
        raise error
    return []


def _json_places(text: str) -> Iterator[str]:
    tagged = _last_tagged(text)
    if tagged is not None:
        yield tagged
    fenced = only_fence(text)
    if fenced is not None:
        yield fenced
    yield text


def _last_tagged(text: str) -> str | None:
    """Return what stands between the last tags that are closed, None without such tags."""
    inner, at, unclosed = None, 0, set[str]()
    for opening in _OPENING.finditer(text):
        name = opening[1].lower()
        if opening.start() < at or name in unclosed:
            continue
        closing = re.compile(f"</{name}>", re.IGNORECASE).search(text, opening.end())
        if closing is None:
            unclosed.add(name)
        else:
            inner, at = text[opening.end() : closing.start()], closing.end()
    return inner


def _unwrapped(value: Any, fields: frozenset[str]) -> Iterator[Any]:
    """Yield a value, and what it may be wrapped in.

    Models wrap an answer under its name, in a list of one, or into the `properties` of the schema
    that they were shown. An object that has none of the fields is such a wrapper.
    """
    known = not fields or not isinstance(value, dict) or not value or fields & value.keys()
    if known:
        yield value
    if isinstance(value, dict) and not (fields and known):
        inner = [item for item in value.values() if isinstance(item, (dict, list))]
        if "properties" in value:
            yield value["properties"]
        elif len(inner) == 1 or len(value) == 1:
            yield from inner or value.values()
    elif isinstance(value, list) and len(value) == 1:
        yield value[0]
    if isinstance(value, dict):  # one object where a list of them is wanted
        yield [value]
