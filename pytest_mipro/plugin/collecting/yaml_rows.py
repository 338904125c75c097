"""YAML rows with JSON's types alone: no tags, no aliases, no dates, no `yes` for true."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_DEPTH = 100
"""How deep lists and mappings of a row may be nested: deeper data end in a RecursionError."""
TOO_DEEP = f"the row is nested deeper than {MAX_DEPTH} levels"
_PARSER_DEPTH = "nesting depth"


class LineError(ValueError):
    """What is wrong in a line, before the path is named."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN or an infinity."""
    raise ValueError(f"{name} is not JSON; use null, or leave the column out")


def finite(text: str) -> float:
    """Return the number in the text; ValueError where it is too large for a float."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"the number {text} is too large")
    return number


def read_yaml(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the line and the JSON value of each row; raises LineError."""
    # Events, not nodes: composing nodes in C overflows the stack on deeply nested text.
    events = yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    try:
        yield from _rows(events)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context or ""
        if _PARSER_DEPTH in problem:  # newer parsers read ahead, and stop at a depth of their own
            raise LineError(line, TOO_DEEP) from None
        raise LineError(line, f"not YAML: {problem}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise LineError(1, f"not YAML: {str(error).splitlines()[0]}") from None


def _rows(events: Iterator[yaml.Event]) -> Iterator[tuple[int, Any]]:
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        elif isinstance(event, yaml.SequenceStartEvent) and documents == 1:
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                yield _line(item), _value(item, events, 1)
        elif isinstance(event, yaml.NodeEvent):
            expected = "a list of rows, each a mapping (`- id: …`), in one document"
            raise LineError(_line(event), f"expected {expected}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


_TAGS = frozenset({f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")} | {None, "!"})
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")  # 007 is a name, not a number
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)\Z", re.IGNORECASE)


def _value(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
    """Return the JSON value that begins with the event; nothing is constructed from a tag."""
    if isinstance(event, yaml.AliasEvent):
        raise LineError(_line(event), "an alias (`*name`) is not allowed here; repeat the value")
    tag = getattr(event, "tag", None)
    if tag not in _TAGS:
        raise LineError(_line(event), f"the tag {tag!r} is not allowed here; drop it")
    if depth > MAX_DEPTH:
        raise LineError(_line(event), TOO_DEEP)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(events, depth)
    return _mapping(events, depth)


def _sequence(events: Iterator[yaml.Event], depth: int) -> list[Any]:
    items: list[Any] = []
    while not isinstance(item := next(events), yaml.SequenceEndEvent):
        items.append(_value(item, events, depth + 1))
    return items


def _mapping(events: Iterator[yaml.Event], depth: int) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent):
            raise LineError(_line(key), "a key must be a text")
        name = str(key.value)
        if name in mapping:
            raise LineError(_line(key), f"the key {name!r} stands twice")
        mapping[name] = _value(next(events), events, depth + 1)
    return mapping


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = str(event.value)
    if event.style or event.tag:  # quoted, a block or said to be one: a text, whatever its looks
        return text
    try:
        if text in _WORDS:
            return _WORDS[text]
        if _INT.match(text):
            return int(text)
        if _FLOAT.match(text):
            return finite(text)
        if _NOT_FINITE.match(text):
            return refuse_constant(text)
    except ValueError as error:
        raise LineError(_line(event), str(error)) from None
    return text
