"""The rows of case files; every error names path:line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from pytest_mipro.errors import CaseFileError
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.optimizer.study.split import Place
from pytest_mipro.plugin.collecting.case_formats import LineError, read_values
from pytest_mipro.runtime.text.redaction import one_line
from pytest_mipro.runtime.text.yaml_subset import MAX_DEPTH

ID, SPLIT, DEMO, CLUSTER = "id", "split", "demo", "cluster"
_USAGE = frozenset({ID, SPLIT, DEMO, CLUSTER})
"""Columns that say how a row is used, and nothing of what it is about."""

_TRUTH = {"true": True, "false": False, "": True}


@dataclass(frozen=True)
class Row:
    """What a case is about; equal keys are one row, in whatever test of a study.

    `key` is `<file name>:<id>` for a row of a case file, `params:` and 16 hex digits for other
    parameters, and `<test file>::<test>` for a test without any. `columns` are JSON values and
    must not be changed. `split` forces a part; `demo=False` keeps the row out of demos; rows of one
    `cluster` ("": none) are related. `id` (unique in its file) and `line` are those of the case
    `file`, which is None for other rows.
    """

    key: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    demo: bool = True
    cluster: str = ""
    file: Path | None = None
    id: str = ""
    line: int = 0

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """The columns without those that say how the row is used."""
        if self.file is None:
            return self.columns
        return {name: value for name, value in self.columns.items() if name not in _USAGE}

    @cached_property
    def digest(self) -> str:
        """A digest of the facts and the id, as a lock keeps it: it tells whether a case changed."""
        named = {ID: self.columns[ID]} if self.file is not None and ID in self.columns else {}
        return content_digest({**self.facts, **named})

    @cached_property
    def content(self) -> str:
        """A digest of the facts, "" without any."""
        return content_digest(self.facts) if self.facts else ""


@dataclass(frozen=True)
class CaseFile:
    """All rows of a file. `shown` is its path in messages; `columns` are those of all its rows."""

    shown: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]


def read_case_file(path: Path, shown: str = "") -> CaseFile:
    """Return the rows of a case file; the suffix (.jsonl, .csv, .yaml, .yml) tells its format.

    jsonl has one object a line; yaml a list of mappings with JSON's types alone (`yes` and dates
    are texts, aliases are refused); csv a header line, and all its values are texts. UTF-8, with
    or without a byte order mark, and with line ends of any system. `shown` is the path to use in
    messages. Raises CaseFileError.
    """
    shown = shown or str(path)
    try:
        rows = tuple(_row(path, line, columns) for line, columns in read_values(path))
        _refuse_duplicates(rows)
    except LineError as error:
        raise CaseFileError(f"{shown}:{error.line}: {one_line(error)}") from None
    columns = dict.fromkeys(name for row in rows for name in row.columns)
    return CaseFile(shown, rows, tuple(columns))


def _row(path: Path, line: int, columns: Any) -> Row:
    if not isinstance(columns, dict):
        got = json.dumps(columns)
        raise LineError(line, f"a row is a mapping of columns to values, got {got}")
    _refuse_deep(line, columns)
    try:
        json.dumps(columns, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LineError(line, "holds half of a character pair (\\ud800 to \\udfff)") from None
    name = _id(line, columns)
    return Row(
        key=f"{path.name}:{name}",
        id=name,
        file=path,
        line=line,
        columns=columns,
        cluster=_cluster(line, columns.get(CLUSTER)),
        split=_split(line, columns.get(SPLIT)),
        demo=_demo(line, columns.get(DEMO)),
    )


def _refuse_deep(line: int, columns: Any) -> None:
    level = [columns]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        inner = [item.values() if isinstance(item, dict) else item for item in level]
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
    if level:
        raise LineError(line, f"the row is nested deeper than {MAX_DEPTH} levels")


def _id(line: int, columns: Mapping[str, Any]) -> str:
    if ID not in columns:
        # What a row is, without how it is to be used: a tag does not make it another row.
        return content_digest({name: columns[name] for name in columns if name not in _USAGE})[:8]
    value = columns[ID]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
        raise LineError(line, f"the id must be a text or a number, got {json.dumps(value)}")
    return str(value)


def _split(line: int, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if value not in get_args(Place):
        known = ", ".join(get_args(Place))
        raise LineError(line, f"the column `split` must be one of {known}, got {value!r}")
    return str(value)


def _cluster(line: int, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        got = json.dumps(value)
        raise LineError(line, f"the column `cluster` must be a text or a number, got {got}")
    return str(value)


def _demo(line: int, value: Any) -> bool:
    if value is None:
        return True
    flag = _TRUTH.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise LineError(line, f"the column `demo` must be true or false, got {value!r}")
    return flag


def _refuse_duplicates(rows: tuple[Row, ...]) -> None:
    lines: dict[str, int] = {}
    for row in rows:
        if row.id in lines:
            if ID in row.columns:
                text = f"the id {row.id!r} is also in line {lines[row.id]}; ids must be unique"
            else:
                text = f"the row is the same as in line {lines[row.id]}; drop one"
            raise LineError(row.line, text)
        lines[row.id] = row.line
