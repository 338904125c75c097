"""Measure how often the whole optimiser writes prompts where there is nothing to learn.

    python -m benchmarks.random_labels [--runs N] [--rows N[xCOPIES] …] [--jobs N]

Each run draws letters of the world `named`, gives each text a label at random, and optimises the
program on them in this process, with the simulated model, which writes such labels' cues into
instructions and learns from demos. No prompt is better than another on new rows, so whatever is
written is noise. With copies, each text comes several times under other ids, with the same label.
Prints one Markdown table with the share of runs by how they were decided.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison.project import load_pipeline, write_project
from benchmarks.comparison.quick import (
    MODEL,
    RememberingClient,
    Setup,
    services_of,
    settings_of,
    study_of,
)
from benchmarks.comparison.world import Row
from benchmarks.comparison.worlds import named
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.runtime.settings import configure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.comparison.world import World

ROWS = ("15", "20", "24", "60", "180", "180x2", "180x3")
_NO_FINALIST = "no candidate"
OUTCOMES = ("accept", "unconfirmed", "likely", "undecided", "reject", _NO_FINALIST)


def random_world(seed: int, rows: int, copies: int) -> World:
    """Return a world of so many rows whose labels are independent of their texts."""
    world, rng = named(seed), random.Random(f"random/{seed}/{rows}/{copies}")
    (stage,) = world.stages
    texts = -(-rows // copies)
    drawn = [replace(row, answer=rng.choice(stage.labels)) for row in world.rows[:texts]]
    copied = [Row(f"{row.id}-{n}", row.inputs, row.answer) for n in range(copies) for row in drawn]
    return replace(world, rows=tuple(copied[:rows]))


def run(seed: int, rows: int, copies: int) -> tuple[str, bool]:
    """Optimise one draw; return how it was decided, and whether the finalist would be written."""
    world, setup = random_world(seed, rows, copies), Setup("light", "tpe", (), labels=True)
    configure(model=MODEL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / f"random{seed}x{rows}x{copies}"
        write_project(folder, world, {}, labels=setup.labels)
        program = load_pipeline(folder).program
        settings = settings_of(setup, seed)
        services = services_of(RememberingClient(), setup, settings)
        result = optimize(study_of(world, program, labels=setup.labels), services, settings)
    return result.decision.verdict if result.decision else _NO_FINALIST, bool(result.prompts)


def table(found: Mapping[tuple[int, int], Sequence[tuple[str, bool]]]) -> str:
    """Return the shares as a Markdown table: rows and copies a line, a verdict a column."""
    lines = [
        f"| rows | each text | runs | written | {' | '.join(OUTCOMES)} |",
        f"|---:|---:|---:|---:|{'---:|' * len(OUTCOMES)}",
    ]
    for (rows, copies), runs in found.items():
        verdicts = Counter(verdict for verdict, _ in runs)
        shares = [sum(written for _, written in runs), *(verdicts[name] for name in OUTCOMES)]
        cells = " | ".join(f"{100 * count / len(runs):.0f} %" for count in shares)
        lines.append(f"| {rows} | {copies}x | {len(runs)} | {cells} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.random_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=60, help="runs of each line")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rows", nargs="+", default=ROWS, help="rows, and copies of each text")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    lines: list[tuple[int, int]] = []
    for given in options.rows:
        rows, _, copies = given.partition("x")
        lines.append((int(rows), int(copies or 1)))
    seeds = range(options.first, options.first + options.runs)
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = {line: [pool.submit(run, seed, *line) for seed in seeds] for line in lines}
        print(table({line: [job.result() for job in its] for line, its in jobs.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
