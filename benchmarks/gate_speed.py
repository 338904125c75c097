"""Measure what a gate case costs with cached replies, above an empty parametrised test.

    python benchmarks/gate_speed.py [--cases N] [--pairs N] [--workers N ...]

Each pair is a run of N empty cases and a run of N marked cases with the same parameters
with two module calls each, all served from the cache. Prints the medians over the pairs, in
milliseconds a case; what a run imports and opens once is part of it. `--workers 0 4` measures
without and with `-n 4`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

GATE, EMPTY = "test_gate.py", "test_empty.py"
_TICKET = (
    "Order {n}: since the update of last week the app shows two invoices for one month, and the "
    "page that should tell them apart stays empty. We are on the team plan, and I am the owner."
)
_FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\nmipro_model = "test/echo"\npythonpath = ["."]\n'
    'asyncio_default_fixture_loop_scope = "function"\n'
    'filterwarnings = ["ignore::pytest.PytestConfigWarning"]\n',
    "pipeline.py": '''
from typing import Literal
from pytest_mipro import lm_module

@lm_module
def summarize(ticket: str) -> str:
    """Summarise the customer's problem in one sentence."""

@lm_module
def choose_queue(summary: str, product: str) -> Literal["billing", "bug", "how-to", "account"]:
    """Choose the queue that should handle the ticket."""

def triage(ticket: str, product: str) -> str:
    return choose_queue(summary=summarize(ticket=ticket), product=product)
''',
    "conftest.py": """
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    last = request.messages[-1].content
    return "billing" if "<product>" in last else f"Two invoices for one month: {last[9:30]}"

def pytest_mipro_client(config):
    return ScriptedClient(reply)
""",
    GATE: """
import pytest
from pipeline import triage
from pytest_mipro import cases

@pytest.mark.mipro(threshold=0.8)
@cases("tickets.jsonl")
def test_queue(ticket, product, queue):
    assert triage(ticket, product) == queue
""",
    EMPTY: """
import pytest

ROWS = [pytest.param(f"Order {n}", "app", "billing", id=f"T-{n}") for n in range(CASES)]

@pytest.mark.parametrize(("ticket", "product", "queue"), ROWS)
def test_empty(ticket, product, queue):
    pass
""",
}


@dataclass(frozen=True)
class Run:
    """One run of pytest: seconds elapsed, and seconds of processor time."""

    elapsed: float
    processor: float


@dataclass(frozen=True)
class Pair:
    """A run of the empty cases, and the run of the gate beside it."""

    empty: Run
    gate: Run


def write_project(folder: Path, cases: int) -> None:
    """Make the project, its cases and its cached replies."""
    for name, text in _FILES.items():
        (folder / name).write_text(text.replace("CASES", str(cases)), encoding="utf-8")
    rows = (
        {"id": f"T-{n}", "ticket": _TICKET.format(n=n), "product": "app", "queue": "billing"}
        for n in range(cases)
    )
    (folder / "tickets.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run(folder, GATE)


def run(folder: Path, file: str, workers: int = 0) -> Run:
    """Run one file there in its own process and return its times; raises if it fails."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:randomly"]
    command = [sys.executable, "-m", "pytest", *options, *([f"-n{workers}"] if workers else [])]
    processor, started = _children(), time.perf_counter()
    done = subprocess.run(
        [*command, file],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    times = Run(time.perf_counter() - started, _children() - processor)
    if done.returncode or (file == GATE and "passed: threshold" not in done.stdout):
        raise RuntimeError(f"{file} was not measured: {done.stdout}{done.stderr}")
    return times


def measure(folder: Path, pairs: int, workers: int) -> list[Pair]:
    """Return the times of `pairs` pairs; which of the two runs first alternates."""
    for file in (EMPTY, GATE):  # compiled files and disk caches are warm from here on
        run(folder, file, workers)
    measured = []
    for number in range(pairs):
        if number % 2:
            gate = run(folder, GATE, workers)
            measured.append(Pair(run(folder, EMPTY, workers), gate))
        else:
            measured.append(Pair(run(folder, EMPTY, workers), run(folder, GATE, workers)))
    return measured


def report(pairs: Sequence[Pair], cases: int, workers: int) -> str:
    """Return the figures as text: the difference is the median over pairs, with quartiles."""
    how = f"-n {workers}" if workers else "one process"
    lines = [f"{cases:,} cases, {how}, {len(pairs)} pairs"]
    for kind in ("elapsed", "processor"):
        empty = [1000 * getattr(pair.empty, kind) / cases for pair in pairs]
        gate = [1000 * getattr(pair.gate, kind) / cases for pair in pairs]
        above = [after - before for before, after in zip(empty, gate, strict=True)]
        low, _, high = quantiles(above, n=4)
        lines.append(
            f"  {kind:<9}  empty {median(empty):.3f}  gate {median(gate):.3f}  "
            f"above {median(above):.3f} ms a case ({low:.3f} to {high:.3f})  "
            f"ratio {median(gate) / median(empty):.2f}"
        )
    return "\n".join(lines)


def _children() -> float:
    """Return the seconds of processor time that finished child processes took so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _environment() -> dict[str, str]:
    # Options and models of the shell belong to other projects; compiled files are kept, as ever.
    foreign = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "MIPRO_MODEL", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in foreign}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=2000, help="cases of each run")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of runs, at least 2")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 4], help="0: without xdist")
    options = parser.parse_args(arguments)
    if options.pairs < 2 or options.cases < 1:
        parser.error("at least 2 pairs and 1 case are needed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, options.cases)
        for workers in options.workers:
            pairs = measure(folder, options.pairs, workers)
            print(report(pairs, options.cases, workers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
