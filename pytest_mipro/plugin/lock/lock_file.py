"""Read and write lock files: JSON with one case a line. Errors name path:line."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.lock.lock_schema import Lock, LockedCase, LockedLesson, LockedModule
from pytest_mipro.runtime.text.strict_json import (
    COUNT,
    OBJECT,
    TEXT,
    FieldRule,
    field_problem,
    load_json,
)

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
        return _lock(load_json(_with_commas(text)), lines)
    except json.JSONDecodeError as error:
        conflict = next((n for n, line in enumerate(lines, 1) if line.startswith("<<<<<<<")), None)
        problem = "an unresolved merge conflict" if conflict else f"not JSON ({error.msg})"
        raise LockError(f"{path}:{conflict or error.lineno}: {problem}; {_REMEDY}") from None
    except ValueError as problem:
        line = getattr(problem, "line", None) or _line_of_refused(lines)
        raise LockError(f"{path}:{line}: {problem}; {_REMEDY}") from None


def _with_commas(text: str) -> str:
    """Return the text with a comma behind each entry that another one follows, and behind no last.

    So a merge that keeps the lines of both sides needs no care for commas.
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
    entries = [_json(entry if isinstance(entry, str) else asdict(entry)) for entry in value]
    return "[\n    " + ",\n    ".join(entries) + "\n  ]" if entries else "[]"


def _line_of_refused(lines: list[str]) -> int:
    """Return the line that strict reading refuses, as for a key twice or a NaN; else 1."""
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


def _line_of(lines: list[str], key: str, index: int = -1) -> int | None:
    """Return the line of a top-level key, or of an entry of its list."""
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(f'"{key}"'):
            return number + index + 1
    return None


def _lock(data: Any, lines: list[str]) -> Lock:
    if not isinstance(data, dict):
        raise _ProblemError("expected an object")
    line_of = partial(_line_of, lines)
    version = data.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        text = f"schema_version is {version!r}, this release reads {SCHEMA_VERSION}"
        raise _ProblemError(text, line_of("schema_version"))
    data.setdefault("lessons", [])
    if problem := field_problem(data, _rules(Lock)):
        raise _ProblemError(problem.text, line_of(problem.key))
    for index, row in enumerate(data["demo_rows"]):
        if not isinstance(row, str):
            raise _ProblemError(f"demo_rows: {row!r} is not a text", line_of("demo_rows", index))
    for key, kind in _ENTRIES.items():
        rules = _rules(kind)
        for index, value in enumerate(data[key]):
            line = line_of(key, index)
            if not isinstance(value, dict):
                raise _ProblemError(f"{key}: {value!r:.60} is not an object", line)
            if problem := field_problem(value, rules):
                raise _ProblemError(problem.text, line)
    known = set[str]()
    for index, case in enumerate(data["cases"]):
        if case["id"] in known:
            raise _ProblemError(f"the case {case['id']!r} appears twice", line_of("cases", index))
        known.add(case["id"])
        case["score"] = None if case["score"] is None else float(case["score"])
    entries = {key: tuple(kind(**one) for one in data[key]) for key, kind in _ENTRIES.items()}
    return Lock(**data | entries | {"demo_rows": tuple(data["demo_rows"])})


_ENTRIES: dict[str, type[Any]] = {
    "lessons": LockedLesson,
    "modules": LockedModule,
    "cases": LockedCase,
}


def _rules(kind: type[Any]) -> dict[str, FieldRule]:
    return {item.name: _RULES[str(item.type).partition("[")[0]] for item in fields(kind)}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


_RULES: dict[str, FieldRule] = {
    "str": TEXT,
    "int": COUNT,
    "float": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "float | None": (
        lambda value: value is None or (_is_number(value) and 0 <= value <= 1),
        "a score in 0…1 or null",
    ),
    "Mapping": OBJECT,
    "tuple": (lambda value: isinstance(value, list), "a list"),
}
