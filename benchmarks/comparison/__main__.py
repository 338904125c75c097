"""Compare optimisers on five worlds: test score, LM calls, tokens and time.

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
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import results
from benchmarks.comparison.chart import svg
from benchmarks.comparison.optimisers import BY_NAME
from benchmarks.comparison.running import Bench, make, missing
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and print the tables; return 1 if a run failed or there is none."""
    options = parsed(arguments)
    path = options.folder / results.FILE
    asked = (options.worlds, range(options.seeds), options.optimisers)
    jobs = [] if options.table else missing(*asked, results.read(path))
    failed = make(jobs, Bench(), options.jobs, options.folder, path) if jobs else 0
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
