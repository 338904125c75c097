"""Results of runs as a JSONL file: one run a line, appended, so that a comparison can go on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.comparison.measuring import Measured

if TYPE_CHECKING:
    from pathlib import Path


FILE = "results.jsonl"


@dataclass(frozen=True)
class Job:
    """One run to make: an optimiser on one draw of a world."""

    world: str
    seed: int
    optimiser: str

    def __str__(self) -> str:
        return f"{self.world} {self.seed} {self.optimiser}"


@dataclass(frozen=True)
class Result:
    """A run that was made."""

    job: Job
    measured: Measured

    @property
    def before(self) -> float:
        """The test score before, 0…1."""
        return sum(self.measured.before) / len(self.measured.before)

    @property
    def after(self) -> float:
        """The test score after, 0…1."""
        return sum(self.measured.after) / len(self.measured.after)

    @property
    def tokens(self) -> int:
        """Tokens read and written in the optimisation."""
        return self.measured.prompt_tokens + self.measured.completion_tokens


def append(path: Path, result: Result) -> None:
    """Add a run to the file."""
    line = json.dumps(asdict(result.job) | asdict(result.measured))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read(path: Path) -> list[Result]:
    """Return the runs of the file, none without a file; a truncated line is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            data = json.loads(line)
        except ValueError:
            continue
        job = Job(data.pop("world"), data.pop("seed"), data.pop("optimiser"))
        scores = {name: tuple(map(float, data[name])) for name in ("before", "after")}
        found.append(Result(job, Measured(**(data | scores))))
    return found
