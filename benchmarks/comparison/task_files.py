"""A task from a JSON file as a world with one stage.

The file holds `kind` (`label`, `labels` or `fields`), the `instruction`, the `labels` or `fields`,
and the rows `train` and `test`, each an object with `id`, `query` and `want`. Standard library
only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.world import Row, Stage, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def read(path: Path, rows: int | None = None) -> World:
    """Return the task of the file, of each split the first `rows`, all by default.

    Raises ValueError if the file is no task.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return World(
            path.stem, 0, (_stage(data),), _rows(data["train"][:rows]), _rows(data["test"][:rows])
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise ValueError(
            f"{path} is no task ({wrong!r}): benchmarks/README.md describes the format"
        ) from wrong


def _stage(data: Mapping[str, Any]) -> Stage:
    kind = data["kind"]
    if kind not in ("label", "labels", "fields"):
        raise ValueError(f"kind {kind!r} is not label, labels or fields")
    if kind == "fields":
        return Stage(
            "read_details", data["instruction"], ("query",), "details", fields=tuple(data["fields"])
        )
    several = kind == "labels"
    output = "names" if several else "answer"
    return Stage("respond", data["instruction"], ("query",), output, tuple(data["labels"]), several)


def _rows(found: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(Row(row["id"], {"query": row["query"]}, row["want"]) for row in found)
