"""The file of recorded replies: one JSON line per reply, sorted to diff and merge well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

from pytest_mipro.errors import RepliesFileError
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.replies.recorded import RECORD, RecordedReply
from pytest_mipro.runtime.replies.request_parts import RequestParts
from pytest_mipro.runtime.text.files import read_text
from pytest_mipro.runtime.text.merge_conflict import (
    CONFLICT,
    LFS_POINTER,
    is_lfs_pointer,
    is_marker,
)
from pytest_mipro.runtime.text.redaction import HIDDEN
from pytest_mipro.runtime.text.schema_version import version_problem
from pytest_mipro.runtime.text.strict_json import (
    COST,
    COUNT,
    OBJECT,
    TEXT,
    FieldRule,
    escape_unsafe,
    field_problem,
    load_json,
)

SCHEMA_VERSION = 2
SUFFIX = ".replies.jsonl"
_HEAD = {"schema_version": SCHEMA_VERSION}
# Its releases put `[hidden]` into replies, which then measured something else: these are none.
_REDACTING_VERSION = 1
_REMEDY = f"restore the file, or delete it and run `{RECORD}`"


def read_replies(path: Path, name: str = "") -> list[RecordedReply]:
    """Return the replies in a file, none if there is no file.

    Raises RepliesFileError naming `name` (else the path) and the line.
    """
    name = name or str(path)
    try:
        text = read_text(path)
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RepliesFileError(f"{name}:{line}: not UTF-8 ({error.reason}); {_REMEDY}") from None
    except OSError as error:
        raise RepliesFileError(f"{name}:1: can't be read ({error.strerror})") from None
    return parse_replies(text, name)


def parse_replies(text: str, name: str) -> list[RecordedReply]:
    """Return the replies in a file's text; raises RepliesFileError that begins with `name:line`.

    The line with the schema_version may stand anywhere: a tool may have sorted the lines.
    """
    if is_lfs_pointer(text):
        raise RepliesFileError(f"{name}:1: {LFS_POINTER}")
    heads: list[bool] = []  # a merge may have left two
    lines: list[tuple[int, dict[str, Any]]] = []
    # An editor in which a merge was resolved may save a byte order mark.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        with _told(name, number):
            data = _parsed(line)
            if "schema_version" in data:
                heads.append(_is_redacting(data))
            else:
                lines.append((number, data))
    replies: list[RecordedReply] = []
    known: dict[str, tuple[int, str]] = {}
    redacting = any(heads)
    for number, data in lines:
        with _told(name, number):
            if not heads:
                raise _ProblemError("no line holds the schema_version")
            reply = _reply(data)
        if redacting and HIDDEN in reply.text:
            continue
        first, text = known.setdefault(reply.key, (number, reply.text))
        if text != reply.text:  # which one counts would silently decide scores
            raise RepliesFileError(
                f"{name}:{number}: another reply to the request of line {first}; "
                "delete one of the two lines"
            )
        replies.append(reply)
    return replies


def dump_replies(replies: Iterable[RecordedReply]) -> str:
    """Return the text of a file; equal replies give equal bytes, in whatever order."""
    ordered = sorted(replies, key=lambda reply: reply.sort_key)
    return "".join(f"{line}\n" for line in (json.dumps(_HEAD), *map(to_line, ordered)))


def to_line(reply: RecordedReply) -> str:
    """Return a reply as a line of the file, without the line end."""
    data = vars(reply) | {
        "usage": [reply.usage.prompt_tokens, reply.usage.completion_tokens],
        "request": vars(reply.request),
    }
    return escape_unsafe(json.dumps(data, ensure_ascii=False, allow_nan=False))


def from_line(line: str) -> RecordedReply:
    """Return the reply that `to_line` made the line from."""
    return _reply(_parsed(line))


class _ProblemError(ValueError):
    pass


@contextmanager
def _told(name: str, number: int) -> Iterator[None]:
    try:
        yield
    except _ProblemError as problem:
        remedy = "" if ";" in str(problem) else f"; {_REMEDY}"
        raise RepliesFileError(f"{name}:{number}: {problem}{remedy}") from None


def _parsed(line: str) -> dict[str, Any]:
    if is_marker(line):
        raise _ProblemError(f"{CONFLICT}; keep the lines of both sides, delete its markers")
    try:
        data = load_json(line)
    except json.JSONDecodeError as error:
        raise _ProblemError(f"not JSON ({error.msg})") from None
    except ValueError as error:
        raise _ProblemError(str(error)) from None
    if not isinstance(data, dict):
        raise _ProblemError("expected an object")
    return data


def _is_redacting(data: dict[str, Any]) -> bool:
    if data == {"schema_version": _REDACTING_VERSION}:
        return True
    if data != _HEAD:
        raise _ProblemError(version_problem(data["schema_version"], SCHEMA_VERSION))
    return False


def _reply(data: dict[str, Any]) -> RecordedReply:
    if problem := (
        field_problem(data, _REPLY_RULES) or field_problem(data["request"], _PARTS_RULES)
    ):
        raise _ProblemError(problem.text)
    return RecordedReply(
        **data
        | {
            "usage": Usage(*data["usage"]),
            "request": RequestParts(**data["request"]),
            "cost": None if data["cost"] is None else float(data["cost"]),
        }
    )


def _is_day(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(date.fromisoformat(value).isoformat() == value)
    except (TypeError, ValueError):
        return False


_REPLY_RULES: dict[str, FieldRule] = dict.fromkeys(
    [field.name for field in fields(RecordedReply)], TEXT
) | {
    "asked": (_is_day, "a day as 2026-03-31, or null"),
    "usage": (
        lambda value: isinstance(value, list) and len(value) == 2 and all(map(COUNT[0], value)),
        "two whole numbers from 0 on",
    ),
    "cost": COST,
    "request": OBJECT,
}
_PARTS_RULES: dict[str, FieldRule] = dict.fromkeys(
    [field.name for field in fields(RequestParts)], TEXT
) | {"sample": COUNT}
