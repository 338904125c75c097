"""Make runs: the optimiser in its own process and environment, against an endpoint that counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import endpoint, environment, measuring, results
from benchmarks.comparison.contest import Contest
from benchmarks.comparison.optimisers import BY_NAME
from benchmarks.comparison.project import ROOT
from benchmarks.comparison.results import Job, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    Served = AbstractContextManager[tuple[str, Path]]


@contextmanager
def simulated(_: Job) -> Iterator[tuple[str, Path]]:
    """Give the URL of a fresh simulated server, and a folder for the run."""
    with endpoint.serving() as url, tempfile.TemporaryDirectory() as folder:
        yield url, Path(folder)


@dataclass(frozen=True)
class Bench:
    """How runs are made: `served` gives an endpoint that counts, and a folder, for each.

    `tasks` is a folder of task files, None for the worlds that are drawn; `rows` limits a task's
    rows (0: all). `longest` is the time in seconds that a run may take.
    """

    served: Callable[[Job], Served] = simulated
    model: str = endpoint.MODEL
    concurrency: int = endpoint.CONCURRENCY
    tasks: Path | None = None
    rows: int = 0
    longest: float = 1800.0

    def contest(self, job: Job, url: str, folder: Path) -> Contest:
        """Return what the job's process is told."""
        world = job.world if self.tasks is None else str(self.tasks / f"{job.world}.json")
        more = (self.model, self.concurrency, folder)
        return Contest(job.optimiser, world, self.rows, job.seed, url, *more)


def missing(
    worlds: Sequence[str], seeds: Iterable[int], optimisers: Sequence[str], done: Iterable[Result]
) -> list[Job]:
    """Return the runs that are asked for and not made yet, in turns over the optimisers."""
    made = {one.job for one in done}
    asked = [
        Job(world, seed, optimiser)
        for seed in seeds
        for world in worlds
        for optimiser in optimisers
    ]
    return [job for job in asked if job not in made]


def make(jobs: Sequence[Job], bench: Bench, at_once: int, folder: Path, path: Path) -> int:
    """Make the runs, `at_once` of them in parallel; return how many failed.

    Each is appended to the file `path` as it ends; the peers' environment is in the folder.
    """
    peers = None
    if any(BY_NAME[job.optimiser].kind == "peer" for job in jobs):
        peers = environment.python_of(folder.absolute() / "environment")
    failed = 0
    pool = ThreadPoolExecutor(at_once)
    try:
        runs = [pool.submit(run, job, bench, peers) for job in jobs]
        for number, future in enumerate(as_completed(runs)):
            try:
                one = future.result()
            except (RuntimeError, OSError) as problem:
                failed += 1
                print(f"failed: {problem}", file=sys.stderr, flush=True)
                continue
            results.append(path, one)
            print(f"{number + 1:4}/{len(jobs)}  {line_of(one)}", file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C ends the runs under way, and starts no other
    return failed


def line_of(one: Result) -> str:
    """Return a run as a line."""
    return (
        f"{one.job!s:<36} {one.before:.3f} -> {one.after:.3f}  {one.measured.calls:6,} calls"
        f"  {one.measured.seconds:6.1f} s"
    )


def run(job: Job, bench: Bench, peers: Path | None) -> Result:
    """Make the run; `peers` is the interpreter of the peers' environment.

    Raises RuntimeError with the end of the process's output if it fails, or if it takes too long.
    """
    own = BY_NAME[job.optimiser].kind == "own"
    python = sys.executable if own else str(peers)
    module = f"benchmarks.comparison.{'ours' if own else 'peers'}"
    with bench.served(job) as (url, folder):
        command = [python, "-m", module, *bench.contest(job, url, folder).arguments()]
        try:
            code, said = _ended(command, bench.longest)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{job}: broken off after {bench.longest:.0f} s") from None
        if code:
            raise RuntimeError(f"{job}: {said.strip()[-2000:]}")
        return Result(job, measuring.read(folder))


def _ended(command: Sequence[str], longest: float) -> tuple[int, str]:
    """Return the exit code and the output; a process that is broken off takes its own with it."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "no_proxy": "*", "NO_PROXY": "*"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=longest)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, said
