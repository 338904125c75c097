"""What a world is: a program of one or two stages, rows to optimise on, and rows to test on.

Standard library only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROWS, TEST_ROWS = 180, 300


@dataclass(frozen=True)
class Stage:
    """One LM call of the program.

    Its output is one of the `labels`, `several` of them as a list, an object with the `fields`
    (optional strings), or, with neither labels nor fields, free text. `inputs` are columns of the
    row or outputs of earlier stages; `output` is the column's name of the right answer in the last
    stage.
    """

    name: str
    instruction: str
    inputs: tuple[str, ...]
    output: str
    labels: tuple[str, ...] = ()
    several: bool = False
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One case: its inputs by column, and the right answer of the last stage."""

    id: str
    inputs: Mapping[str, str]
    answer: Any


@dataclass(frozen=True)
class World:
    """One draw of a world: `rows` are the optimiser's, `test_rows` are shown to none."""

    name: str
    seed: int
    stages: tuple[Stage, ...]
    rows: tuple[Row, ...]
    test_rows: tuple[Row, ...]

    @property
    def answer(self) -> str:
        """The column of the right answer."""
        return self.stages[-1].output


# Writes one row's inputs; the label is given, so that labels come about equally often.
Writer = Callable[[random.Random, str], Mapping[str, str]]


def drawn(
    name: str, seed: int, stages: Sequence[Stage], write: Writer, shares: Mapping[str, int]
) -> World:
    """Return a world whose rows `write` makes; `shares` are the labels' relative frequencies.

    No two rows have equal inputs, so that no test row is one of the optimiser's.
    """
    rng = random.Random(f"{name}/{seed}/rows")
    labels = [label for label, share in shares.items() for _ in range(share)]
    seen: set[tuple[str, ...]] = set()
    rows: list[Row] = []
    while len(rows) < ROWS + TEST_ROWS:
        label = labels[len(rows) % len(labels)]
        inputs = write(rng, label)
        if tuple(inputs.values()) not in seen:
            seen.add(tuple(inputs.values()))
            rows.append(Row("", inputs, label))
    rng.shuffle(rows)
    named = [Row(f"r{number:03}", row.inputs, row.answer) for number, row in enumerate(rows)]
    return World(name, seed, tuple(stages), tuple(named[:ROWS]), tuple(named[ROWS:]))


def sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    return text[0].upper() + text[1:] + "."
