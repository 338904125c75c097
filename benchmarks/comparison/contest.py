"""What the process of a contestant is told, on its command line.

Standard library only: the environments of all optimisers that are compared import it.
"""

from __future__ import annotations

import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison.worlds import world_of

if TYPE_CHECKING:
    from benchmarks.comparison.world import World


@dataclass(frozen=True)
class Contest:
    """One run: `world` is a world's name or a task file, `rows` limits a task's rows (0: all).

    `url` serves the `model` to `concurrency` calls at once; what is measured goes into `folder`.
    """

    optimiser: str
    world: str
    rows: int
    seed: int
    url: str
    model: str
    concurrency: int
    folder: Path

    def arguments(self) -> list[str]:
        """Return the contest as arguments."""
        return [str(value) for value in astuple(self)]

    def drawn(self) -> World:
        """Return the draw of the world."""
        return world_of(self.world, self.seed, self.rows or None)


def told() -> Contest:
    """Return the contest of this process's command line."""
    optimiser, world, rows, seed, url, model, concurrency, folder = sys.argv[1:]
    return Contest(
        optimiser, world, int(rows), int(seed), url, model, int(concurrency), Path(folder)
    )
