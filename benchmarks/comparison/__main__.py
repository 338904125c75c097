"""Compare optimisers on four worlds: test score, LM calls, tokens and time.

    python -m benchmarks.comparison [--worlds W …] [--seeds N] [--optimisers O …] [--jobs N]
                                    [--folder FOLDER] [--table]

Runs this project, by the command that its users run, and DSPy's optimisers, in their own
environment (made at the first use), on the same rows against the same simulated model over HTTP.
Each run gets a fresh server, which counts its calls and tokens, and is tested before and after on
rows that no optimiser sees. Prints the tables, and plots test score against calls in
FOLDER/comparison.svg. Runs in FOLDER/results.jsonl are not repeated, so a stopped comparison
resumes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import environment, results
from benchmarks.comparison.chart import svg
from benchmarks.comparison.optimisers import BY_NAME
from benchmarks.comparison.results import Job
from benchmarks.comparison.running import run
from benchmarks.comparison.table import tables
from benchmarks.comparison.worlds import WORLDS

if TYPE_CHECKING:
    from collections.abc import Sequence


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    add("--seeds", type=int, default=5, help="how many draws of each world")
    add("--optimisers", nargs="+", choices=list(BY_NAME), default=list(BY_NAME))
    add("--jobs", type=int, default=2, help="runs at once")
    add("--folder", type=Path, default=Path(".mipro-comparison"), help="results and environment")
    add("--table", action="store_true", help="run nothing, show what there is")
    return parser.parse_args(arguments)


def missing(options: argparse.Namespace, done: Sequence[results.Result]) -> list[Job]:
    """Return the runs that are asked for and not made yet, in turns over the optimisers."""
    made = {one.job for one in done}
    asked = [
        Job(world, seed, optimiser)
        for seed in range(options.seeds)
        for world in options.worlds
        for optimiser in options.optimisers
    ]
    return [job for job in asked if job not in made]


def make(jobs: Sequence[Job], options: argparse.Namespace, path: Path) -> int:
    """Make the runs, append each to the file as it ends; return how many failed."""
    peers = None
    if any(BY_NAME[job.optimiser].kind == "peer" for job in jobs):
        peers = environment.python_of(options.folder.absolute() / "environment")
    failed = 0
    pool = ThreadPoolExecutor(options.jobs)
    try:
        for number, future in enumerate(as_completed([pool.submit(run, j, peers) for j in jobs])):
            try:
                one = future.result()
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as problem:
                failed += 1
                print(f"failed: {problem}", file=sys.stderr, flush=True)
                continue
            results.append(path, one)
            print(f"{number + 1:4}/{len(jobs)}  {told(one)}", file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C ends the runs under way, and starts no other
    return failed


def told(one: results.Result) -> str:
    """Return a run as a line."""
    return (
        f"{one.job!s:<36} {one.before:.3f} -> {one.after:.3f}  {one.measured.calls:6,} calls"
        f"  {one.measured.seconds:6.1f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and print the tables; return 1 if a run failed or there is none."""
    options = parsed(arguments)
    path = options.folder / "results.jsonl"
    jobs = [] if options.table else missing(options, results.read(path))
    failed = make(jobs, options, path) if jobs else 0
    shown = [
        one
        for one in results.read(path)
        if one.job.world in options.worlds
        and one.job.optimiser in options.optimisers
        and one.job.seed < options.seeds
    ]
    if not shown:
        print("there is no result to show", file=sys.stderr)
        return 1
    print(tables(shown))
    if any(one.measured.calls for one in shown):
        (options.folder / "comparison.svg").write_text(svg(shown), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
