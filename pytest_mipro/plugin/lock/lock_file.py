"""Lock files: Lock ⇄ JSON, one case a line; errors name path:line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.lock.lock_schema import Lock, LockedCase, LockedLesson, LockedModule
from pytest_mipro.runtime.text.strict_json import load_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA_VERSION = 1


def read_lock(path: Path) -> Lock | None:
    """Return the lock at the path, None where there is none; raises LockError naming the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise LockError(f"{path}:1: not UTF-8 ({error.reason}); restore the lock") from None
    except OSError as error:
        raise LockError(f"{path}:1: can't be read ({error.strerror})") from None
    return parse_lock(text, path)


def dump_lock(lock: Lock) -> str:
    """Return the text of a lock: sorted, one entry a line, the same bytes for the same lock."""
    data: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    data |= {item.name: getattr(lock, item.name) for item in fields(lock)}
    if not lock.lessons:
        del data["lessons"]
    blocks = [f"  {_json(key)}: {_block(value)}" for key, value in data.items()]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def parse_lock(text: str, path: Path) -> Lock:
    """Return the lock in a file's text; raises LockError whose text begins with `path:line`."""
    lines = text.splitlines()
    try:
        return _lock(_Reader(load_json(_with_commas(text)), lines))
    except json.JSONDecodeError as error:
        conflict = next((n for n, line in enumerate(lines, 1) if line.startswith("<<<<<<<")), None)
        problem = "an unresolved merge conflict" if conflict else f"not JSON ({error.msg})"
        raise LockError(f"{path}:{conflict or error.lineno}: {problem}; {_REMEDY}") from None
    except ValueError as problem:
        line = getattr(problem, "line", None) or _line_of_refused(lines)
        raise LockError(f"{path}:{line}: {problem}; {_REMEDY}") from None


def _with_commas(text: str) -> str:
    """Return the text with a comma behind each entry that another one follows, and behind no last.

    Who resolves a merge by keeping lines of both sides need not mind which of them was the last.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1]):
        entry = line.rstrip().removesuffix(",")
        if line.startswith(_ENTRY) and entry.endswith(("}", '"')):
            last = lines[number + 1].lstrip().startswith(("]", "}"))
            lines[number] = entry if last else f"{entry},"
    return "\n".join(lines)


_ENTRY = ('    {"', '    "')
_REMEDY = "restore the file, or delete it and run `pytest --mipro-update-lock`"


class _ProblemError(ValueError):
    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _block(value: Any) -> str:
    if not isinstance(value, tuple):
        return _json(value)
    entries = [_json(entry if isinstance(entry, str) else _entry(entry)) for entry in value]
    return "[\n    " + ",\n    ".join(entries) + "\n  ]" if entries else "[]"


def _entry(entry: LockedModule | LockedCase | LockedLesson) -> dict[str, Any]:
    if isinstance(entry, LockedModule):
        return asdict(entry) | {"parameters": dict(entry.parameters)}
    return asdict(entry)


def _line_of_refused(lines: list[str]) -> int:
    """Return the line that JSON allows and a lock does not: a key twice, a NaN; else 1."""
    keys: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = line.strip().removesuffix(",")
        key = line.partition(":")[0]
        if line.startswith('  "') and key in keys:
            return number
        keys.add(key)
        try:
            load_json(f"[{text}]" if text.startswith("{") else f"{{{text}}}")
        except json.JSONDecodeError:
            continue
        except ValueError:
            return number
    return 1


class _Reader:
    """The parsed file beside its lines, so that each refusal names its line."""

    def __init__(self, data: Any, lines: list[str]) -> None:
        self.lines = lines
        if not isinstance(data, dict):
            raise _ProblemError("expected an object")
        self.data = data

    def line_of(self, key: str, index: int = -1) -> int | None:
        """Return the line of a top-level key, or of an entry of its list."""
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith(f'"{key}"'):
                return number + index + 1
        return None


def _lock(reader: _Reader) -> Lock:
    version = reader.data.get("schema_version")
    if version != SCHEMA_VERSION:
        text = f"schema_version is {version!r}, this release reads {SCHEMA_VERSION}"
        raise _ProblemError(text, reader.line_of("schema_version"))
    data = {key: value for key, value in reader.data.items() if key != "schema_version"}
    data.setdefault("lessons", [])
    _check(data, Lock, reader.line_of)
    return Lock(
        **data
        | {
            "demo_rows": tuple(_texts(reader, "demo_rows")),
            "lessons": tuple(_entries(reader, "lessons", LockedLesson)),
            "modules": tuple(_entries(reader, "modules", LockedModule)),
            "cases": tuple(_entries(reader, "cases", LockedCase)),
        }
    )


def _texts(reader: _Reader, key: str) -> list[str]:
    for index, value in enumerate(reader.data[key]):
        if not isinstance(value, str):
            raise _ProblemError(f"{key}: {value!r} is not a text", reader.line_of(key, index))
    return list(reader.data[key])


def _entries(reader: _Reader, key: str, kind: type[Any]) -> list[Any]:
    entries, known = [], set[str]()
    for index, value in enumerate(reader.data.get(key, ())):
        line = reader.line_of(key, index)

        def line_of(_: str, line: int | None = line) -> int | None:
            return line

        if not isinstance(value, dict):
            raise _ProblemError(f"{key}: {value!r:.60} is not an object", line)
        _check(value, kind, line_of)
        if kind is LockedCase:
            if value["id"] in known:
                raise _ProblemError(f"the case {value['id']!r} stands twice", line)
            known.add(value["id"])
            if value["score"] is not None:
                value["score"] = float(value["score"])
        entries.append(kind(**value))
    return entries


def _check(data: dict[str, Any], kind: type[Any], line_of: Callable[[str], int | None]) -> None:
    wanted = {item.name: str(item.type) for item in fields(kind)}
    for key in data:
        if key not in wanted:
            raise _ProblemError(f"unknown key {key!r}", line_of(key))
    for key, annotation in wanted.items():
        if key not in data:
            raise _ProblemError(f"the key {key!r} is missing", line_of(key))
        if not _TYPES[annotation.partition("[")[0]](data[key]):
            text = f"{key!r} must be {_NAMES[annotation.partition('[')[0]]}, not {data[key]!r:.60}"
            raise _ProblemError(text, line_of(key))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_score(value: Any) -> bool:
    return value is None or (_is_number(value) and 0 <= value <= 1)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": _is_count,
    "float": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "float | None": _is_score,
    "Mapping": lambda value: isinstance(value, Mapping),
    "tuple": lambda value: isinstance(value, list),
}
_NAMES = {
    "str": "a text",
    "int": "a whole number from 0 on",
    "float": "a number",
    "bool": "true or false",
    "float | None": "a score in 0…1 or null",
    "Mapping": "an object",
    "tuple": "a list",
}
