"""Measure what the plugin costs a pytest run without marked tests, in paired runs.

    python benchmarks/plugin_overhead.py [--pairs N]

Prints the median of the differences in milliseconds, of elapsed time and of processor time (which
other work on the machine hardly changes), the ratio of the medians, and the modules that only the
runs with the plugin import.
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

WITHOUT = ("-p", "no:mipro")
_FILES = {
    "pyproject.toml": "[tool.pytest.ini_options]\n",
    "test_nothing.py": "def test_nothing():\n    pass\n",
}
_CONFTEST = """
import json, sys

def pytest_unconfigure(config):
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


@dataclass(frozen=True)
class Run:
    """One run of pytest: seconds elapsed, and seconds of processor time."""

    elapsed: float
    processor: float


@dataclass(frozen=True)
class Pair:
    """A run without the plugin, and the run with it beside it."""

    without: Run
    with_plugin: Run


def write_project(folder: Path) -> None:
    """Make a project of one unmarked test."""
    for name, text in _FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, *options: str) -> Run:
    """Run pytest there in its own process and return its times; raises if it fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    processor, started = _children(), time.perf_counter()
    subprocess.run(command, cwd=folder, env=_environment(), check=True, capture_output=True)
    return Run(time.perf_counter() - started, _children() - processor)


def measure(folder: Path, pairs: int) -> list[Pair]:
    """Return the times of `pairs` pairs; which of the two runs first alternates."""
    for options in ((), WITHOUT):  # compiled files and disk caches are warm from here on
        run(folder, *options)
    measured = []
    for number in range(pairs):
        if number % 2:
            with_plugin = run(folder)
            measured.append(Pair(run(folder, *WITHOUT), with_plugin))
        else:
            measured.append(Pair(run(folder, *WITHOUT), run(folder)))
    return measured


def imported(folder: Path, *options: str) -> frozenset[str]:
    """Return the names of all modules that a run holds at its end."""
    conftest = folder / "conftest.py"
    conftest.write_text(_CONFTEST, encoding="utf-8")
    try:
        run(folder, *options)
    finally:
        conftest.unlink()
    return frozenset(json.loads((folder / "modules.json").read_text(encoding="utf-8")))


def added_modules(folder: Path) -> list[str]:
    """Return the modules that a run imports only because of the plugin, sorted."""
    return sorted(imported(folder) - imported(folder, *WITHOUT))


def report(pairs: Sequence[Pair], modules: Sequence[str]) -> str:
    """Return the figures as text: each difference is the median over pairs."""
    lines = [f"{len(pairs)} pairs; medians"]
    for kind in ("elapsed", "processor"):
        without = [1000 * getattr(pair.without, kind) for pair in pairs]
        with_plugin = [1000 * getattr(pair.with_plugin, kind) for pair in pairs]
        differences = [after - before for before, after in zip(without, with_plugin, strict=True)]
        low, _, high = quantiles(differences, n=4)
        lines += [
            f"{kind} time",
            f"  without the plugin {median(without):8.1f} ms",
            f"  with the plugin    {median(with_plugin):8.1f} ms",
            f"  difference         {median(differences):+8.1f} ms ({low:+.1f} to {high:+.1f})",
            f"  ratio              {median(with_plugin) / median(without):8.3f}",
        ]
    return "\n".join([*lines, "imported only with it", *(f"  {name}" for name in modules)])


def _children() -> float:
    """Return the seconds of processor time that finished child processes took so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _environment() -> dict[str, str]:
    # Options and models of the shell belong to other projects; users' runs find compiled files.
    foreign = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "MIPRO_MODEL", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in foreign}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=31, help="pairs of runs, at least 2")
    pairs = parser.parse_args(arguments).pairs
    if pairs < 2:
        parser.error(f"--pairs must be at least 2, got {pairs}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder)
        modules = added_modules(folder)
        print(report(measure(folder, pairs), modules))
    return 0


if __name__ == "__main__":
    sys.exit(main())
