"""The lock of a study: its fields and its file, with one case a line; errors name path:line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.lock.lock_checks import (
    CHECK,
    check_of_head,
    checked_entry,
    count_edited,
    to_json,
)
from pytest_mipro.plugin.lock.lock_lines import line_of_key, line_of_refused, with_commas
from pytest_mipro.plugin.lock.lock_summary import summary_of
from pytest_mipro.runtime.text.files import read_text
from pytest_mipro.runtime.text.merge_conflict import (
    CONFLICT,
    LFS_POINTER,
    is_lfs_pointer,
    is_marker,
)
from pytest_mipro.runtime.text.schema_version import UPDATE, version_problem
from pytest_mipro.runtime.text.strict_json import (
    COUNT,
    OBJECT,
    TEXT,
    FieldRule,
    field_problem,
    load_json,
)

SUFFIX = ".mipro.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class LockedModule:
    """A module that the study's cases called. `prompt_path` is relative to the lock, with `/`.

    `prompt`, `docstring` (as a prompt) and `signature` are digests; prompt and docstring are equal
    without a prompt file. `model` and `parameters` are those of the calls: a module called with
    several has several entries. `frozen` modules are measured, never written.
    """

    name: str
    prompt_path: str
    prompt: str
    docstring: str
    signature: str
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False


@dataclass(frozen=True)
class LockedCase:
    """A case as measured under the written prompts.

    `id` is unique in the study; `digest` is of the row's columns; `score` is in 0…1, None where
    the case was skipped.
    """

    id: str
    test: str
    row: str
    digest: str
    score: float | None


@dataclass(frozen=True)
class LockedLesson:
    """The lift of an instruction by the choices of its proposal; the next search starts from it.

    `lift` is in -1…1, measured on `rows`; the other fields are the choices.
    """

    strategy: str
    tip: str
    dataset: bool
    program: bool
    examples: str
    temperature: float
    model: str
    lift: float
    rows: int


@dataclass(frozen=True)
class Lock:
    """The content of a lock, in an order that doesn't depend on how it was given.

    `holdout` is a digest of which rows are held out, "" for none; `holdout_uses` counts its uses,
    `logical_calls` the distinct requests of the study; `demo_rows` are the rows that became demos;
    `lessons` are the proposal lessons, oldest first. `confirmed` tells whether a
    holdout, which the search never uses, confirmed the prompts. `accepted_as` is "likely" or
    "undecided" where they were written on demand, without being shown to be better.

    `edited` counts the entries that changed since the lock was written (see `lock_checks`).
    """

    holdout: str
    seed: int
    logical_calls: int
    holdout_uses: int = 0
    confirmed: bool = False
    accepted_as: str = ""
    demo_rows: tuple[str, ...] = ()
    lessons: tuple[LockedLesson, ...] = ()
    modules: tuple[LockedModule, ...] = ()
    cases: tuple[LockedCase, ...] = ()
    edited: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        modules = sorted(self.modules, key=_place)
        cases = sorted(self.cases, key=lambda case: case.id)
        object.__setattr__(self, "modules", tuple(modules))
        object.__setattr__(self, "cases", tuple(cases))
        object.__setattr__(self, "demo_rows", tuple(sorted(set(self.demo_rows))))

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The scores by case id; skipped cases have none."""
        return {case.id: case.score for case in self.cases if case.score is not None}


def _place(module: LockedModule) -> tuple[str, ...]:
    return (
        module.name,
        module.prompt_path,
        module.model,
        json.dumps(dict(module.parameters), sort_keys=True),
    )


def read_lock(path: Path) -> Lock | None:
    """Return the lock at the path, None where there is none; raises LockError naming the line."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise LockError(f"{path}:1: not UTF-8 ({error.reason}); restore the lock") from None
    except OSError as error:
        raise LockError(f"{path}:1: can't be read ({error.strerror})") from None
    return parse_lock(text, path)


def dump_lock(lock: Lock) -> str:
    """Return the text of a lock: sorted, one entry a line, the same bytes for the same lock."""
    data: dict[str, Any] = {"schema_version": SCHEMA_VERSION, _SUMMARY: _summary(lock)}
    data |= {item.name: getattr(lock, item.name) for item in _FIELDS}
    for name in (_SUMMARY, *_OPTIONAL):
        if not data[name]:
            del data[name]
    data[CHECK] = check_of_head(data)
    blocks = [f"  {to_json(key)}: {_block(value)}" for key, value in data.items()]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _summary(lock: Lock) -> tuple[str, ...]:
    scored = [(it.test, it.row, it.score) for it in lock.cases if it.score is not None]
    return summary_of(scored, (module.model for module in lock.modules))


def parse_lock(text: str, path: Path) -> Lock:
    """Return the lock in a file's text; raises LockError whose text begins with `path:line`."""
    text = text.removeprefix("\ufeff")  # an editor in which a merge was resolved may save one
    if is_lfs_pointer(text):
        raise LockError(f"{path}:1: {LFS_POINTER}")
    lines = text.splitlines()
    try:
        return _lock(load_json(with_commas(text)), lines)
    except json.JSONDecodeError as error:
        conflict = next((n for n, line in enumerate(lines, 1) if is_marker(line)), None)
        problem = _CONFLICT if conflict else f"not JSON ({error.msg}); {_REMEDY}"
        raise LockError(f"{path}:{conflict or error.lineno}: {problem}") from None
    except ValueError as problem:
        line = getattr(problem, "line", None) or line_of_refused(lines)
        remedy = getattr(problem, "remedy", f"; {_REMEDY}")
        raise LockError(f"{path}:{line}: {problem}{remedy}") from None


_FIELDS = tuple(item for item in fields(Lock) if item.name != "edited")
# Left out where they are empty.
_OPTIONAL: Mapping[str, Any] = MappingProxyType({"accepted_as": "", "holdout": "", "lessons": []})
_SUMMARY = "summary"
# Not to be deleted: either side knows how often the holdout was used, and what to compare with.
_CONFLICT = f"{CONFLICT}; keep one side, and run `pytest --mipro-update-lock`"
_REMEDY = "restore the file, or delete it and run `pytest --mipro-update-lock`"


class _ProblemError(ValueError):
    def __init__(self, text: str, line: int | None = None, remedy: str = f"; {_REMEDY}") -> None:
        super().__init__(text)
        self.line, self.remedy = line, remedy


def _block(value: Any) -> str:
    if not isinstance(value, tuple):
        return to_json(value)
    entries = [
        to_json(entry) if isinstance(entry, str) else checked_entry(asdict(entry))
        for entry in value
    ]
    return "[\n    " + ",\n    ".join(entries) + "\n  ]" if entries else "[]"


def _lock(data: Any, lines: list[str]) -> Lock:
    if not isinstance(data, dict):
        raise _ProblemError("expected an object")
    line_of = partial(line_of_key, lines)
    edited = count_edited(data, _ENTRIES)
    version = data.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        text = version_problem(version, SCHEMA_VERSION)
        remedy = "" if text.endswith(UPDATE) else f"; {_REMEDY}"
        raise _ProblemError(text, line_of("schema_version"), remedy)
    data = {**_OPTIONAL, **data}
    data.pop("salt", None)  # of releases whose split had one
    data.pop(_SUMMARY, None)
    if problem := field_problem(data, _rules(Lock)):
        raise _ProblemError(problem.text, line_of(problem.key))
    for index, row in enumerate(data["demo_rows"]):
        if not isinstance(row, str):
            text = f"demo_rows: {row!r:.60} is not a text"
            raise _ProblemError(text, line_of("demo_rows", index))
    for key, kind in _ENTRIES.items():
        rules = _rules(kind)
        for index, value in enumerate(data[key]):
            if not isinstance(value, dict):
                text = f"{key}: {value!r:.60} is not an object"
                raise _ProblemError(text, line_of(key, index))
            if problem := field_problem(value, rules):
                raise _ProblemError(problem.text, line_of(key, index))
    _refuse_twice(data, line_of)
    for case in data["cases"]:
        case["score"] = None if case["score"] is None else float(case["score"])
    entries = {key: tuple(kind(**one) for one in data[key]) for key, kind in _ENTRIES.items()}
    return Lock(**data | entries | {"demo_rows": tuple(data["demo_rows"]), "edited": edited})


def _refuse_twice(data: Mapping[str, Any], line_of: Callable[[str, int], int | None]) -> None:
    """Refuse what a merge that kept the lines of both sides leaves: which one holds is unknown."""
    cases, modules = set[str](), set[tuple[str, ...]]()
    prompts: dict[str, str] = {}
    for index, case in enumerate(data["cases"]):
        if case["id"] in cases:
            text = f"the case {case['id']!r:.60} appears twice"
            raise _ProblemError(text, line_of("cases", index))
        cases.add(case["id"])
    for index, entry in enumerate(data["modules"]):
        module = LockedModule(**entry)
        prompt = prompts.setdefault(module.prompt_path, module.prompt)
        if _place(module) in modules or prompt != module.prompt:
            how = "twice" if prompt == module.prompt else "with two prompts"
            text = f"the module {module.name!r:.60} appears {how}"
            raise _ProblemError(text, line_of("modules", index))
        modules.add(_place(module))


_ENTRIES: dict[str, type[Any]] = {
    "lessons": LockedLesson,
    "modules": LockedModule,
    "cases": LockedCase,
}


def _rules(kind: type[Any]) -> dict[str, FieldRule]:
    items = _FIELDS if kind is Lock else fields(kind)
    return {item.name: _RULES[str(item.type).partition("[")[0]] for item in items}


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
