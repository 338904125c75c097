"""The file of recorded replies: JSON lines, one a reply, in an order that diffs and merges well."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import RepliesFileError
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.replies.recorded import RECORD, RecordedReply, RequestParts
from pytest_mipro.runtime.text.strict_json import load_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SCHEMA_VERSION = 1
SUFFIX = ".replies.jsonl"
_HEAD = {"schema_version": SCHEMA_VERSION}
_REMEDY = f"restore the file, or delete it and run `{RECORD}`"
# Characters that editors, terminals or diffs take for ends of lines, or that UTF-8 can't hold.
_ESCAPED = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


def read_replies(path: Path, name: str = "") -> list[RecordedReply]:
    """Return the replies in a file, none where there is no file.

    Raises RepliesFileError that names `name` (else the path) and the line.
    """
    name = name or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RepliesFileError(f"{name}:{line}: not UTF-8 ({error.reason}); {_REMEDY}") from None
    except OSError as error:
        raise RepliesFileError(f"{name}:1: can't be read ({error.strerror})") from None
    return parse_replies(text, name)


def parse_replies(text: str, name: str) -> list[RecordedReply]:
    """Return the replies in a file's text; raises RepliesFileError that begins with `name:line`."""
    replies: list[RecordedReply] = []
    known: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = _parsed(line)
            if number == 1 or "schema_version" in data:  # a merge may have left two
                _check_head(data)
                continue
            reply = _reply(data)
            _check_one(known.setdefault(reply.key, (number, reply.text)), reply)
        except _ProblemError as problem:
            remedy = "" if ";" in str(problem) else f"; {_REMEDY}"
            raise RepliesFileError(f"{name}:{number}: {problem}{remedy}") from None
        replies.append(reply)
    return replies


def dump_replies(replies: Iterable[RecordedReply]) -> str:
    """Return the text of a file; the same bytes for the same replies, in whatever order."""
    ordered = sorted(replies, key=lambda reply: reply.place)
    return "".join(f"{_json(data)}\n" for data in (_HEAD, *map(_data, ordered)))


def to_line(reply: RecordedReply) -> str:
    """Return a reply as a line of the file, without its end."""
    return _json(_data(reply))


def from_line(line: str) -> RecordedReply:
    """Return the reply that `to_line` made the line from."""
    return _reply(_parsed(line))


class _ProblemError(ValueError):
    pass


def _json(data: dict[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _data(reply: RecordedReply) -> dict[str, Any]:
    data = {field.name: getattr(reply, field.name) for field in fields(reply)}
    return data | {
        "usage": [reply.usage.prompt_tokens, reply.usage.completion_tokens],
        "request": vars(reply.request),
    }


def _parsed(line: str) -> dict[str, Any]:
    if line.startswith(_CONFLICT):
        raise _ProblemError(
            "an unresolved merge conflict; keep the lines of both sides, delete its markers"
        )
    try:
        data = load_json(line)
    except json.JSONDecodeError as error:
        raise _ProblemError(f"not JSON ({error.msg})") from None
    except ValueError as error:
        raise _ProblemError(str(error)) from None
    if not isinstance(data, dict):
        raise _ProblemError("expected an object")
    return data


def _check_head(data: dict[str, Any]) -> None:
    if "schema_version" not in data:
        raise _ProblemError("the first line must hold the schema_version")
    if data != _HEAD:
        version = data["schema_version"]
        raise _ProblemError(
            f"schema_version is {version!r:.60}, this release reads {SCHEMA_VERSION}"
        )


def _reply(data: dict[str, Any]) -> RecordedReply:
    _check(data, _REPLY_TYPES)
    _check(data["request"], _PARTS_TYPES)
    return RecordedReply(
        **data
        | {
            "usage": Usage(*data["usage"]),
            "request": RequestParts(**data["request"]),
            "cost": None if data["cost"] is None else float(data["cost"]),
        }
    )


def _check_one(first: tuple[int, str], reply: RecordedReply) -> None:
    """Refuse a second, different reply: which of them counts would decide scores unseen."""
    line, text = first
    if text != reply.text:
        raise _ProblemError(
            f"another reply to the request of line {line}; delete one of the two lines"
        )


def _check(data: dict[str, Any], wanted: dict[str, _Type]) -> None:
    for key in data:
        if key not in wanted:
            raise _ProblemError(f"unknown key {key!r:.60}")
    for key, (fits, what) in wanted.items():
        if key not in data:
            raise _ProblemError(f"the key {key!r} is missing")
        if not fits(data[key]):
            raise _ProblemError(f"{key!r} must be {what}, not {data[key]!r:.60}")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_cost(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and value >= 0)


def _is_day(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(date.fromisoformat(value).isoformat() == value)
    except (TypeError, ValueError):
        return False


def _is_usage(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))


_Type = tuple["Callable[[Any], bool]", str]
_TEXT: _Type = (lambda value: isinstance(value, str), "a text")
_COUNT: _Type = (_is_count, "a whole number from 0 on")
_REPLY_TYPES: dict[str, _Type] = dict.fromkeys(
    [field.name for field in fields(RecordedReply)], _TEXT
) | {
    "asked": (_is_day, "a day as 2026-03-31, or null"),
    "usage": (_is_usage, "two whole numbers from 0 on"),
    "cost": (_is_cost, "a number from 0 on, or null"),
    "request": (lambda value: isinstance(value, dict), "an object"),
}
_PARTS_TYPES: dict[str, _Type] = dict.fromkeys(
    [field.name for field in fields(RequestParts)], _TEXT
) | {"sample": _COUNT}
