"""Measure how busy an optimisation keeps the endpoint, and which stages leave it idle.

    python benchmarks/endpoint_busy.py [--point CONCURRENCYxSECONDS ...] [--cases N] [--timeline]
                                       [--profile] [--spread S] [--trials N]

Starts the simulated HTTP server in its own process with log-normal latency and runs
`pytest --mipro-optimize` on a program of two stages against it, with an empty cache. Prints, for
each point (concurrency x mean latency):

    busy = (sum of the latencies that the server drew / concurrency) / wall time

from the first call that reaches the server to the last reply that leaves it, the same for the
search alone, and for each stage its wall time, how busy it is, and its share of all idle time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
TICKETS = ROOT / "example_project" / "tests" / "tickets.jsonl"
_SAID = 3_000  # characters of a failed run that are shown
_FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\nmipro_model = "openai/simulated/small"\n'
    'pythonpath = ["."]\n',
    "pipeline.py": '''
from typing import Literal
from pytest_mipro import lm_module

Queue = Literal["billing", "bug", "how-to", "account", "privacy", "orders"]

@lm_module
def summarize(ticket: str) -> str:
    """Summarise the customer's problem in one sentence."""

@lm_module
def choose_queue(summary: str, product: str) -> Queue:
    """Choose the queue that should handle the ticket."""

def triage(ticket: str, product: str) -> Queue:
    return choose_queue(summary=summarize(ticket=ticket), product=product)
''',
    "test_triage.py": """
import pytest
from pipeline import triage
from pytest_mipro import cases

@pytest.mark.mipro(threshold=0.1)
@cases("tickets.jsonl")
def test_queue(ticket, product, queue):
    assert triage(ticket, product) == queue
""",
    "conftest.py": """
import json, os, time
from pytest_mipro.plugin.optimise.lines.progress import Progress
draw, stages = Progress.__call__, open(os.environ["STAGES"], "a", buffering=1)

def noting(self, event):
    told = [time.monotonic(), type(event).__name__, getattr(event, "stage", "")]
    print(json.dumps(told), file=stages)
    draw(self, event)

Progress.__call__ = noting
if os.environ.get("PROFILE"):
    import sys
    sys.path.insert(0, os.environ["BENCHMARKS"])
    import thread_profile
    thread_profile.start(os.environ["PROFILE"])
""",
}


@dataclass(frozen=True)
class Point:
    """Calls in flight at most, and the mean latency in seconds."""

    concurrency: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.concurrency} x {self.seconds:g} s"


@dataclass(frozen=True)
class Run:
    """What one optimisation left: calls as (came, left, status), stage changes, seconds."""

    calls: Sequence[tuple[float, float, int]]
    stages: Sequence[tuple[float, str]]
    service: float
    seconds: float
    said: str


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """Run the simulated server in its own process and return its base URL."""
    command = [sys.executable, "-m", "pytest_mipro.simulated", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def told(url: str, what: str) -> Any:
    """Return what the server reports at `/stats` or `/calls`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/{what}", timeout=60) as answer:
        return json.load(answer)


def write_project(folder: Path, cases: int) -> None:
    """Make the project, with the first tickets of the example as cases."""
    for name, text in _FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    lines = TICKETS.read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "tickets.jsonl").write_text("".join(lines[:cases]), encoding="utf-8")


def measure(point: Point, options: argparse.Namespace, folder: Path) -> Run:
    """Optimise once in the folder against a new server."""
    write_project(folder, options.cases)
    median = point.seconds / math.exp(options.spread**2 / 2)
    latency = ("--latency", f"{median}", "--latency-spread", f"{options.spread}")
    with serving("--record", *latency) as url:
        started = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("--mipro-optimize", "--mipro-diff", f"--mipro-concurrency={point.concurrency}"),
                *([f"--mipro-trials={options.trials}"] if options.trials else []),
            ],
            cwd=folder,
            env={
                **os.environ,
                "OPENAI_BASE_URL": url,
                "no_proxy": "*",
                "STAGES": str(folder / "stages"),
                "PROFILE": str(folder / "profile") if options.profile else "",
                "BENCHMARKS": str(ROOT / "benchmarks"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode:
            raise RuntimeError(
                f"the optimisation was not measured: {done.stdout[-4000:]}{done.stderr[-2000:]}"
            )
        calls = [tuple(call) for call in told(url, "calls")["calls"]]
        service = told(url, "stats")["service_seconds"]
    lines = (folder / "stages").read_text(encoding="utf-8").splitlines()
    return Run(calls, _stages([json.loads(line) for line in lines]), service, seconds, done.stdout)


def _stages(events: Sequence[tuple[float, str, str]]) -> list[tuple[float, str]]:
    """Return when each stage began; the one after the last is the end."""
    found: list[tuple[float, str]] = []
    for at, kind, stage in events:
        if kind == "StageStarted" and stage != "search":
            found.append((at, stage))
        elif kind == "CandidatesReady":
            found.append((at, "search"))
        elif kind == "Decided":
            found.append((at, "end"))
    return found


def busy_between(run: Run, begin: float, end: float) -> float:
    """Return the mean number of calls in flight between two moments."""
    total = sum(max(0.0, min(end, left) - max(begin, came)) for came, left, _ in run.calls)
    return total / (end - begin) if end > begin else 0.0


def report(point: Point, run: Run) -> list[str]:
    """Return the figures of one point as lines."""
    begin = min(came for came, _, _ in run.calls)
    end = max(left for _, left, _ in run.calls)
    wall = end - begin
    whole = run.service / point.concurrency / wall
    lines = [
        (
            f"{point}: busy {whole:.2f} of {wall:.1f} s; {len(run.calls)} calls, "
            f"{len(run.calls) / wall:.0f} a second; process {run.seconds:.1f} s"
        )
    ]
    idle = wall * point.concurrency - sum(left - came for came, left, _ in run.calls)
    spans: dict[str, list[tuple[float, float]]] = {}
    for (at, stage), (until, _) in zip(run.stages, [*run.stages[1:], (end, "")], strict=True):
        span = (max(at, begin), min(until, end))
        if span[1] > span[0]:
            spans.setdefault(stage, []).append(span)
    for stage, parts in spans.items():
        seconds = sum(until - at for at, until in parts)
        held = sum(busy_between(run, at, until) * (until - at) for at, until in parts)
        lines.append(
            f"  {stage:<12} {seconds:6.2f} s  {held / seconds / point.concurrency:.2f} busy  "
            f"{(seconds * point.concurrency - held) / idle:4.0%} of the idle time"
        )
    return lines


def timeline(point: Point, run: Run, width: int = 100) -> list[str]:
    """Return calls in flight over time, ten levels, with the stages below."""
    begin = min(came for came, _, _ in run.calls)
    end = max(left for _, left, _ in run.calls)
    step = (end - begin) / width
    shares = [
        busy_between(run, begin + place * step, begin + (place + 1) * step) / point.concurrency
        for place in range(width)
    ]
    marks = [" "] * width
    for at, stage in run.stages:
        if begin <= at < end:
            marks[int((at - begin) / step)] = stage[0]
        elif at < begin:
            marks[0] = stage[0]
    return [
        "  " + "".join("0123456789#"[int(10 * share)] for share in shares),
        "  " + "".join(marks),
    ]


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--point", action="append", type=_point, help="such as 16x0.1")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--trials", type=int, help="instead of those of a light search")
    parser.add_argument("--spread", type=float, default=0.5, help="of the log-normal latency")
    parser.add_argument("--timeline", action="store_true", help="show calls in flight over time")
    parser.add_argument("--profile", action="store_true", help="show what the processor does")
    return parser.parse_args(arguments)


def _point(text: str) -> Point:
    concurrency, _, seconds = text.partition("x")
    return Point(int(concurrency), float(seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    options = parsed(arguments)
    for point in options.point or (Point(16, 0.1), Point(32, 0.5), Point(64, 0.1)):
        with tempfile.TemporaryDirectory() as name:
            run = measure(point, options, Path(name))
            for line in report(point, run) + (timeline(point, run) if options.timeline else []):
                print(line, flush=True)
            if options.profile:
                print((Path(name) / "profile").read_text(encoding="utf-8"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
