"""What a search could have found: all programs of its candidates, scored on the test rows.

    python -m benchmarks.comparison.ceiling [--world W …] [--seeds N] [--effort E] [--jobs N]

Optimises in this process as `quick` does, on worlds of one module, and then scores every
combination of the last round's instructions and demo sets. Prints the means of the test score of
what was written, of the best program that had a trial, and of the best of all. The last two are
chosen by the test rows, and flattered by that.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks.comparison.quick import RememberingClient, Setup, drawn, searched, test_score
from benchmarks.comparison.worlds import WORLDS
from pytest_mipro.optimizer.run.events import CandidatesReady, TrialFinished
from pytest_mipro.optimizer.search.candidates import Candidates
from pytest_mipro.plugin.config.options import EFFORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mipro.optimizer.run.events import Event
    from pytest_mipro.optimizer.search.space import Assignment

_ONE_MODULE = [name for name, draw in WORLDS.items() if len(draw(0).stages) == 1]


@dataclass(frozen=True)
class Ceiling:
    """Test scores (0…1): of what was written, the best that was tried, the best of all."""

    written: float
    tried: float
    best: float


def ceiling(world: str, seed: int, setup: Setup) -> Ceiling:
    """Optimise one draw of a world, and score all programs of its candidates."""
    offered: Candidates | None = None
    tried: set[Assignment] = set()

    def emit(event: Event) -> None:
        nonlocal offered
        if isinstance(event, CandidatesReady):
            offered = Candidates(event.offered)
        if isinstance(event, TrialFinished):
            tried.add(event.assignment)

    here = drawn(world, seed, setup)
    with searched(here, seed, setup, RememberingClient(), emit) as (program, result):
        if offered is None:
            raise RuntimeError(f"{world} {seed}: no search: {result.reason}")
        tried.add(offered.committed)
        written = test_score(here, program, result.prompts)
        scores = {each: test_score(here, program, offered.program(each)) for each in offered.space}
    return Ceiling(written, max(scores[each] for each in tried), max(scores.values()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison.ceiling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--world", nargs="+", choices=_ONE_MODULE, default=_ONE_MODULE)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--effort", choices=EFFORTS, default="light")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    setup = Setup(options.effort, "tpe", (), labels=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [
            pool.submit(ceiling, world, seed, setup)
            for world in options.world
            for seed in range(options.seeds)
        ]
        found = [astuple(job.result()) for job in jobs]
    written, tried, best = (fmean(column) for column in zip(*found, strict=True))
    print(
        f"{len(found)} runs: written {written:.3f}, best tried {tried:.3f}, best of all {best:.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
