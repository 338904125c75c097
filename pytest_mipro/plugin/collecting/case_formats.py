"""The formats of case files (jsonl, csv, yaml): a file as JSON values, each with its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pytest_mipro.runtime.text.merge_conflict import (
    CONFLICT,
    LFS_POINTER,
    conflict_line,
    is_lfs_pointer,
    is_marker,
)
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.strict_json import NotFiniteError, load_json
from pytest_mipro.runtime.text.yaml_subset import YAMLTextError, load_rows


class LineError(ValueError):
    """What is wrong in a line, before the path is named."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


_IN_CONFLICT = f"{CONFLICT}; keep the rows of both sides, delete its markers"


def read_values(path: Path) -> list[tuple[int, Any]]:
    """Return what stands in the file, each with its line; LineError for what can't be read."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise LineError(1, f"unknown case file type {path.suffix!r}; known: {known}")
    text = _text(path)
    if is_lfs_pointer(text):
        raise LineError(1, LFS_POINTER)
    try:
        return _parsed(reader, text)
    except LineError:
        if line := conflict_line(text):
            raise LineError(line, _IN_CONFLICT) from None
        raise


def _parsed(reader: Callable[[str], Iterable[tuple[int, Any]]], text: str) -> list[tuple[int, Any]]:
    # A quoted field may be a whole document. The limit is the process's, so it is put back.
    limit = csv.field_size_limit(len(text) + 1)
    try:
        numbered = list(reader(text))
    finally:
        csv.field_size_limit(limit)
    if not numbered:
        raise LineError(1, "the file has no rows; give it at least one case")
    return numbered


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path at all
        reason = getattr(error, "strerror", None) or error
        remedy = _remedy(path) if isinstance(error, FileNotFoundError) else ""
        raise LineError(1, f"can't be read: {reason}{remedy}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LineError(line, "is not UTF-8 text; save the file as UTF-8") from None


def _remedy(path: Path) -> str:
    """Return where a case file is looked for, and the name in that folder that may be meant."""
    try:
        names = [file.name for file in path.parent.iterdir() if file.suffix.lower() in _READERS]
    except OSError:
        names = []
    near = get_close_matches(path.name, sorted(names), n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"; its path is relative to the test file's folder{meant}"


def _read_jsonl(text: str) -> Iterator[tuple[int, Any]]:
    # Not splitlines(): a JSON text may hold U+2028 and its like unescaped.
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            try:
                yield line, load_json(content)
            except json.JSONDecodeError as error:
                if is_marker(content):  # of a conflict whose other markers are gone
                    raise LineError(line, _IN_CONFLICT) from None
                place = f"column {error.colno}"
                raise LineError(line, f"not one JSON value: {error.msg} ({place})") from None
            except NotFiniteError as error:
                raise LineError(line, f"{error}; use null, or leave the column out") from None
            except ValueError as error:
                raise LineError(line, f"not usable JSON: {error}") from None


def _read_csv(text: str) -> Iterator[tuple[int, Any]]:
    # git may write a file's line ends anew (autocrlf), within quotes, too: they are no content.
    reader = csv.reader(io.StringIO(text.replace("\r\n", "\n"), newline=""), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise LineError(line, f"not CSV: {error}") from None
        if values is None:
            return
        if not values:
            continue
        if header is None:
            header = _header(line, values)
        elif len(values) != len(header):
            counts = (
                f"{counted(len(values), 'value')}, and the header {counted(len(header), 'column')}"
            )
            raise LineError(line, f"the row has {counts}; quote values that hold commas")
        else:
            yield line, dict(zip(header, values, strict=True))


def _read_yaml(text: str) -> list[tuple[int, Any]]:
    try:
        return load_rows(text)
    except YAMLTextError as error:
        raise LineError(error.line, f"not YAML with JSON's types: {error}") from None


def _header(line: int, names: list[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise LineError(line, f"the column {name!r} appears twice in the header")
    return names


_READERS: dict[str, Callable[[str], Iterable[tuple[int, Any]]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}
