"""Make task files of public sets of intents, for the comparison on a model.

    python -m benchmarks.real_model.intent_tasks SETS FOLDER

SETS holds a folder for each set, with the lines of `train/seq.in` and their intents in
`train/label`, as the collection github.com/jianguoz/Few-Shot-Intent-Detection has them. Each task
takes some of a set's intents, 120 rows to optimise on and 200 test rows, drawn by a seed of its
own; in `codes8` the intents have names that tell nothing.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAIN, TEST = 120, 200


@dataclass(frozen=True)
class Task:
    """A task of so many intents of a set; `coded`: their names tell nothing."""

    name: str
    source: str
    intents: int
    seed: int
    coded: bool = False


TASKS = (
    Task("banking16", "BANKING77", 16, 1),
    Task("hwu16", "HWU64", 16, 2),
    Task("clinc20", "CLINC150", 20, 3),
    Task("codes8", "BANKING77", 8, 4, coded=True),
    Task("snips", "SNIPS", 7, 5),
)


def rows_of(source: Path) -> list[tuple[str, str]]:
    """Return the distinct texts of a set, each with its first intent."""
    texts, intents = (
        (source / "train" / name).read_text(encoding="utf-8").split("\n")
        for name in ("seq.in", "label")
    )
    first: dict[str, str] = {}
    for text, intent in zip(map(str.strip, texts), map(str.strip, intents), strict=True):
        first.setdefault(text, intent)
    return [(text, intent) for text, intent in first.items() if text]


def task_of(task: Task, rows: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return the task file's content; raises ValueError if there are too few rows."""
    rng = random.Random(task.seed)
    known = sorted({intent for _, intent in rows})
    chosen = sorted(rng.sample(known, min(task.intents, len(known))))
    mixed = rng.sample(chosen, len(chosen))
    names = {it: f"K{place:02}" if task.coded else it for place, it in enumerate(mixed, 1)}
    mine = [(text, names[intent]) for text, intent in rows if intent in names]
    rng.shuffle(mine)
    if len(mine) < TRAIN + TEST:
        raise ValueError(f"{task.source} has {len(mine)} rows of {task.name}, which takes more")
    return {
        "kind": "label",
        "instruction": "Name the intent of the message.",
        "labels": sorted(names.values()),
        "train": _numbered("t", mine[:TRAIN]),
        "test": _numbered("e", mine[TRAIN : TRAIN + TEST]),
    }


def _numbered(letter: str, rows: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {"id": f"{letter}{place:03}", "query": text, "want": intent}
        for place, (text, intent) in enumerate(rows)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tasks whose sets are there."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_model.intent_tasks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        source = options.sets / task.source
        if source.is_dir():
            content = json.dumps(task_of(task, rows_of(source)), indent=0)
            (options.folder / f"{task.name}.json").write_text(content, encoding="utf-8")
            print(options.folder / f"{task.name}.json")


if __name__ == "__main__":
    main()
