"""Measure what each part of the optimiser is worth: each is switched by itself on the worlds.

    python -m benchmarks.comparison.ablation [--seeds N] [--effort medium] [--only PART …]

Runs the optimiser in this process as `quick` does, first as it is, then with each part that is on
switched off and each that is off switched on. Prints, averaged over worlds and seeds, the change of
the test score that the part brings, in points with its standard error (paired by world and seed),
and what it changes in calls.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from benchmarks.comparison.quick import Setup, run
from benchmarks.comparison.worlds import WORLDS
from pytest_mipro.optimizer.study.settings import OPTIONAL, PARTS
from pytest_mipro.plugin.config.options import EFFORTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.comparison.quick import Measured

_WHOLE = ""
Runs = dict[tuple[str, int], "Measured"]


@dataclass(frozen=True)
class Worth:
    """What a part brings: points of test score, their standard error, and calls."""

    points: float
    error: float
    calls: float
    by_world: Mapping[str, float]


def worth(with_it: Runs, without: Runs) -> Worth:
    """Return what the runs with a part have over those without it, paired by world and seed."""
    gains = {key: 100 * (with_it[key].after - without[key].after) for key in with_it}
    values = list(gains.values())
    by_world: dict[str, list[float]] = {}
    for (world, _), gain in gains.items():
        by_world.setdefault(world, []).append(gain)
    return Worth(
        fmean(values),
        stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan"),
        fmean(with_it[key].calls - without[key].calls for key in with_it),
        {world: fmean(found) for world, found in by_world.items()},
    )


def table(runs: Mapping[str, Runs]) -> str:
    """Return the Markdown table of all parts that were switched."""
    whole = runs[_WHOLE]
    score, calls = fmean(m.after for m in whole.values()), fmean(m.calls for m in whole.values())
    worlds = list(dict.fromkeys(world for world, _ in whole))
    lines = [
        f"as it is: test score {score:.3f}, {calls:.0f} calls, {len(whole)} runs",
        "",
        f"| part | worth in points | ± | {' | '.join(worlds)} | calls |",
        f"|---|---|---|{'---|' * len(worlds)}---|",
    ]
    for part, found in runs.items():
        if part == _WHOLE:
            continue
        one = worth(found, whole) if part in OPTIONAL else worth(whole, found)
        name = f"{part} (off)" if part in OPTIONAL else part
        per_world = " | ".join(f"{one.by_world[world]:+.1f}" for world in worlds)
        lines.append(
            f"| {name} | {one.points:+.1f} | {one.error:.1f} | {per_world} | {one.calls:+.0f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--world", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--effort", choices=EFFORTS, default="medium")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    runs: dict[str, Runs] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = {
            (part, world, seed): pool.submit(run, world, seed, _setup(options.effort, part))
            for part in (_WHOLE, *options.only)
            for world in options.world
            for seed in range(options.seeds)
        }
        for (part, world, seed), job in jobs.items():
            runs.setdefault(part, {})[world, seed] = job.result()
    print(table(runs))
    return 0


def _setup(effort: str, part: str) -> Setup:
    switch = () if part == _WHOLE else (part,) if part in OPTIONAL else (f"no-{part}",)
    return Setup(effort, "tpe", switch, labels=True)


if __name__ == "__main__":
    sys.exit(main())
