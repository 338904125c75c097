"""Compare optimisers on a language model behind any OpenAI-compatible endpoint, on given tasks.

    python -m benchmarks.real_model --worlds FOLDER --api-base URL [--model NAME]
                                    [--tasks T …] [--seeds S …] [--optimisers O …]

Runs what `python -m benchmarks.comparison` runs, one run at a time, on the tasks of the folder, and
prints its tables and a line for each run. The key of the endpoint, if it wants one, is read from
OPENAI_API_KEY. Results, projects and replies stay in FOLDER/MODEL: runs that are made are not
repeated, and one that was broken off goes on with the replies that it had got.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import results, task_files
from benchmarks.comparison.optimisers import BY_NAME
from benchmarks.comparison.running import Bench, make, missing
from benchmarks.comparison.table import each, tables
from benchmarks.real_model.recording_proxy import recording
from benchmarks.real_model.serve import FOLDER, PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.comparison.results import Job

OPTIMISERS = (
    "mipro-light",
    "mipro-medium",
    "dspy-mipro-light",
    "dspy-mipro-medium",
    "dspy-bootstrap-10",
    "dspy-gepa-light",
)
REPLIES = "replies.jsonl"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--worlds", type=Path, required=True, help="the folder of the tasks")
    add("--tasks", nargs="+", help="names of files without .json; by default all of the folder")
    add("--api-base", default=f"http://127.0.0.1:{PORT}/v1")
    add("--model", default="local", help="its name at the endpoint")
    add("--seeds", nargs="+", type=int, default=[1, 2])
    add("--optimisers", nargs="+", choices=list(BY_NAME), default=list(OPTIMISERS))
    add("--rows", type=int, default=0, help="only the first rows of each split: to try it out")
    add("--concurrency", type=int, default=16, help="calls at once")
    add("--longest", type=float, default=86_400.0, help="seconds until a run is broken off")
    add("--folder", type=Path, default=FOLDER, help="results and environment")
    add("--table", action="store_true", help="run nothing, show what there is")
    return parser.parse_args(arguments)


def tasks_of(options: argparse.Namespace) -> list[str]:
    """Return the names of the tasks; raises ValueError if there is none, or one is none."""
    names = options.tasks or sorted(path.stem for path in options.worlds.glob("*.json"))
    if not names:
        raise ValueError(f"{options.worlds} holds no task: it needs a JSON file for each")
    for name in names:
        task_files.read(options.worlds / f"{name}.json")
    return names


def bench_of(options: argparse.Namespace, place: Path) -> Bench:
    """Return how the runs are made: each in a folder of its own, behind its own proxy."""

    @contextmanager
    def served(job: Job) -> Iterator[tuple[str, Path]]:
        folder = place / f"{job.world}-{job.seed}-{job.optimiser}"
        _emptied(folder)
        key = os.environ.get("OPENAI_API_KEY", "")
        with recording(options.api_base, key, folder / REPLIES) as url:
            yield url, folder

    return Bench(
        served,
        f"openai/{options.model}",
        options.concurrency,
        options.worlds.absolute(),
        options.rows,
        options.longest,
    )


def _emptied(folder: Path) -> None:
    """Make the folder, and leave nothing in it but the replies of an earlier attempt."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != REPLIES:
            path.unlink()


def place_of(options: argparse.Namespace) -> Path:
    """Return the folder of the results: those of other models and other rows are not mixed in."""
    name = re.sub(r"[^\w.-]+", "-", options.model)
    name += f"-{options.rows}-rows" if options.rows else ""
    return options.folder.absolute() / name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and print the tables; return 1 if a run failed or there is none."""
    options = parsed(arguments)
    try:
        tasks = tasks_of(options)
    except (OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1
    place = place_of(options)
    path = place / results.FILE
    asked = (tasks, options.seeds, options.optimisers)
    jobs = [] if options.table else missing(*asked, results.read(path))
    failed = make(jobs, bench_of(options, place), 1, options.folder, path) if jobs else 0
    wanted = missing(*asked, ())
    shown = [one for one in results.read(path) if one.job in wanted]
    if not shown:
        print("there is no result to show", file=sys.stderr)
        return 1
    print(f"{each(shown)}\n\n{tables(shown)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
