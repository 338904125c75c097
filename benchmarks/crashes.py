"""Kill a run at every boundary, and check what it leaves behind and how the next run ends.

    python benchmarks/crashes.py [--random N] [--seed N] [--signals SIGKILL SIGINT] [--only REGEX]

Optimises a small study once undisturbed. Then, from the same start, ends it at each boundary
between its stages, at each step of writing the files, and N times at a random call of the model or
reply on its way to disk. A plain pytest run follows, and then the same command again. Checks for
each kill that the files are all old or all new after the plain run, that at most the calls in
flight are repeated, and that the files end in the same bytes as those of the undisturbed run.
Ctrl-C must end the run within `--patience` seconds (2), and say how to go on. Prints one line per
kill, with the seconds from the signal to the end of the process, and a summary; the exit code is 1
if any check fails.

Runs are forked from this process, so that each costs a second and not the imports as well.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from crash_project import CONCURRENCY, FILES

import pytest_mipro.plugin.gate.case_hooks
import pytest_mipro.plugin.lock.write_journal
import pytest_mipro.plugin.optimise.capture_hooks
import pytest_mipro.plugin.report.terminal
import pytest_mipro.plugin.session
import pytest_mipro.runtime.cache.store  # noqa: F401 - imported before the forks, for all of them

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OPTIMIZE = ("--mipro-optimize", "--mipro-trials=6")
_BOUNDARIES = ("StageStarted", "BaselineMeasured", "Plan", "CandidatesReady", "Decided")


@dataclass(frozen=True)
class Crash:
    """Where a run is ended: at the `count`-th (from 0) point of a kind, by a signal."""

    kind: str
    count: int
    signal: int
    name: str


@dataclass(frozen=True)
class Outcome:
    """What became of a kill: what is wrong, and how many calls were repeated.

    `seconds` are those from the signal to the end of the process, `processor` its processor time
    in between: the one depends on what else the machine does.
    """

    wrong: tuple[str, ...]
    seconds: float
    processor: float
    twice: int


@dataclass(frozen=True)
class Ended:
    """One run: its exit code (below 0: the signal that ended it), when it ended, and its output.

    `processor` is the processor time that it took, in seconds.
    """

    code: int
    at: float
    processor: float
    output: str


def write_project(folder: Path) -> None:
    """Write the project that is optimised, in its state before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str, crash: Crash | None = None) -> Ended:
    """Run pytest in a fork of this process."""
    output = folder / "output.txt"
    child = os.fork()
    if child == 0:
        _become_pytest(folder, output, arguments, crash)
    _, status, used = os.wait4(child, 0)
    at = time.monotonic()
    text = output.read_text(encoding="utf-8", errors="replace")
    processor = used.ru_utime + used.ru_stime
    return Ended(os.waitstatus_to_exitcode(status), at, processor, text)


def _become_pytest(
    folder: Path, output: Path, arguments: Sequence[str], crash: Crash | None
) -> None:
    code = 70
    try:
        os.chdir(folder)
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        at = f"{crash.kind} {crash.count} {crash.signal}" if crash else "count 0 0"
        os.environ.update(CRASH_AT=at, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
        options = ["-p", "pytest_mipro.plugin.hooks", "-p", "no:cacheprovider"]
        code = int(pytest.main([*options, *arguments]))
        sys.stdout.flush()
    finally:
        os._exit(code)


def written(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the files that an optimisation writes."""
    paths = [*folder.glob("prompts/*"), *folder.glob("*.mipro.json")]
    return {path.name: path.read_bytes() for path in sorted(paths)}


def log(folder: Path, kind: str) -> list[Any]:
    """Return the names of the points of a kind that the runs of this folder passed, in order.

    Of the kind "signal" it is not a name: the time and the processor time when it was sent.
    """
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [name for what, name in map(json.loads, lines) if what == kind]


def crashes(folder: Path, count: int, seed: int, signals: Sequence[int]) -> Iterator[Crash]:
    """Yield all boundaries of the folder's past run, and `count` random points."""
    rng = random.Random(seed)
    for number in signals:
        for kind in ("event", "write"):
            for index, name in enumerate(log(folder, kind)):
                if kind == "write" or name.startswith(_BOUNDARIES):
                    yield Crash(kind, index, number, name)
        for _ in range(count):
            kind = rng.choice(["asked", "answered", "kept"])
            index = rng.randrange(len(log(folder, kind)))
            yield Crash(kind, index, number, f"{index + 1} of {len(log(folder, kind))}")


def outcome_of(folder: Path, crash: Crash, new: dict[str, bytes], patience: float) -> Outcome:
    """End a run at a point, run on, and return what became of it."""
    write_project(folder)
    ended = run(folder, *OPTIMIZE, crash=crash)
    signalled = log(folder, "signal")
    at, processor = signalled[0] if signalled else (ended.at, ended.processor)
    seconds = ended.at - at
    found = [] if signalled else ["the run did not come to this point"]
    if crash.signal == signal.SIGINT and signalled:
        found += _interrupted(ended, seconds, patience)
    plain = run(folder, "-q")
    if plain.code != 0:
        found.append(f"the plain run ended with {plain.code}: {plain.output[-300:]}")
    if written(folder) not in ({}, new):
        found.append(f"neither old nor new: {sorted(written(folder))}")
    if not written(folder):
        again = run(folder, *OPTIMIZE)
        if again.code != 0 or written(folder) != new:
            found.append(f"ended with {again.code} and other bytes: {again.output[-300:]}")
    twice = sum(times - 1 for times in Counter(log(folder, "asked")).values())
    # Half as many cases again as calls are in work: their replies may not be stored yet.
    if twice > CONCURRENCY + CONCURRENCY // 2:
        found.append(f"{twice} calls were made twice")
    return Outcome(tuple(found), seconds, ended.processor - processor, twice)


def _interrupted(ended: Ended, seconds: float, patience: float) -> list[str]:
    """Return what is wrong with the end of a run by Ctrl-C."""
    found = []
    if seconds > patience:
        found.append(f"ended {seconds:.1f} s after Ctrl-C")
    # While files are written the study is done: they are written, or by the next run.
    if (
        ended.code == pytest.ExitCode.INTERRUPTED
        and "replies so far are cached" not in ended.output
    ):
        found.append(f"does not say how to go on: {ended.output[-300:]}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per kill; return 1 if any check fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--random", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=["SIGKILL", "SIGINT"])
    parser.add_argument("--only", default="")
    parser.add_argument("--patience", type=float, default=2.0)
    given = parser.parse_args(arguments)
    signals = [int(signal.Signals[name]) for name in given.signals]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        write_project(folder)
        whole = run(folder, *OPTIMIZE)
        new = written(folder)
        asked = len(log(folder, "asked"))
        print(f"uninterrupted: {asked} calls, {len(new)} files", flush=True)
        if whole.code != 0 or len(new) != 3:
            print(whole.output)
            return 1
        for crash in list(crashes(folder, given.random, given.seed, signals)):
            name = f"{signal.Signals(crash.signal).name} {crash.kind} {crash.name}"
            if not re.search(given.only, name):
                continue
            outcome = outcome_of(folder, crash, new, given.patience)
            said = "; ".join(outcome.wrong) or "ok"
            took = f"{outcome.seconds:5.2f} s ({outcome.processor:.2f} s of processor)"
            print(f"{name:<48} {took}  {outcome.twice} twice  {said}", flush=True)
            outcomes.append(outcome)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    slowest = max((outcome.seconds for outcome in outcomes), default=0.0)
    most = max((outcome.processor for outcome in outcomes), default=0.0)
    print(
        f"{len(outcomes)} kills, {wrong} wrong; the slowest end {slowest:.2f} s behind its signal, "
        f"with at most {most:.2f} s of processor time"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
