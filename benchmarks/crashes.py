"""Kill a run at every boundary, and check what it leaves behind and how the next run ends.

    python benchmarks/crashes.py [--random N] [--seed N] [--signals SIGKILL SIGINT] [--only REGEX]

Runs a command once undisturbed: an optimisation of each of two projects, a gate that records
replies, and one that updates a lock. Then, from the same start, ends it at each boundary between
its stages, at each step of writing files, and N times in each stage at a random call of the model
or reply on its way to disk. A plain pytest run follows, and then the same command again. Checks for
each kill that every file is an old or a new one at once, and nothing else is left outside of
`.mipro`; that the files are all old or all new after the plain run; that at most the calls in
flight are repeated; that the files end in the same bytes as those of the undisturbed run; and that
the command asks nothing where they are in place.
Ctrl-C must end the run within `--patience` seconds (2), and say how to go on. Prints one line per
kill, with the seconds from the signal to the end of the process, and a summary; the exit code is 1
if any check fails.

Runs are forked from this process, so that each costs a second and not the imports as well.
"""

from __future__ import annotations

import argparse
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
from typing import TYPE_CHECKING

import pytest
from crash_project import CONCURRENCY, OPTIMIZE, SCENARIOS, Scenario, by_stage, log

import pytest_mipro.plugin.gate.case_hooks
import pytest_mipro.plugin.gate.write_replies
import pytest_mipro.plugin.lock.write_journal
import pytest_mipro.plugin.optimise.capture_hooks
import pytest_mipro.plugin.report.terminal
import pytest_mipro.plugin.session
import pytest_mipro.runtime.cache.store  # noqa: F401 - imported before the forks, for all of them

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BOUNDARIES = ("StageStarted", "BaselineMeasured", "Plan", "CandidatesReady", "Decided")
_WRITTEN = ("prompts/*", "texts/*", "*.mipro.json", "*.replies.jsonl")


@dataclass(frozen=True)
class Crash:
    """Where a run is ended: at the `count`-th (from 0) point of a kind, by a signal.

    `name` tells the point, by its stage where it is a random one.
    """

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


def write_project(folder: Path, scenario: Scenario) -> None:
    """Write the project of a scenario, in its state before the command."""
    for name, text in scenario.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if scenario.before:
        run(folder, *scenario.before)
        (folder / "log.jsonl").unlink()
    if scenario.edit:
        name, old, new = scenario.edit
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def copied(start: Path, folder: Path) -> None:
    """Put the folder back to the start."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)


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
    """Return the bytes of the files that a command may write."""
    paths = {path for pattern in _WRITTEN for path in folder.rglob(pattern)}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(paths)
        if ".mipro" not in path.parts
    }


def names(folder: Path) -> set[str]:
    """Return the names of all files of the repo, without what Python makes."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in paths if not {".mipro", "__pycache__"} & set(path.parts)}


def crashes(folder: Path, count: int, seed: int, signals: Sequence[int]) -> Iterator[Crash]:
    """Yield all boundaries of the folder's past run, and `count` random points of each stage."""
    rng = random.Random(seed)
    for number in signals:
        for kind in ("event", "write"):
            for index, name in enumerate(log(folder, kind)):
                if kind == "write" or name.startswith(_BOUNDARIES):
                    yield Crash(kind, index, number, name)
        for stage, points in by_stage(folder).items():
            for kind, index in rng.sample(points, min(count, len(points))):
                yield Crash(kind, index, number, f"{index + 1} of {stage}")


def outcome_of(
    folder: Path, start: Path, scenario: Scenario, crash: Crash, whole: Path, patience: float
) -> Outcome:
    """End a run at a point, run on, and return what became of it."""
    copied(start, folder)
    old, new, known = written(start), written(whole), names(whole)
    ended = run(folder, *scenario.command, crash=crash)
    signalled = log(folder, "signal")
    at, processor = signalled[0] if signalled else (ended.at, ended.processor)
    seconds = ended.at - at
    found = [] if signalled else ["the run did not come to this point"]
    if crash.signal == signal.SIGINT and signalled:
        found += _interrupted(ended, seconds, patience, scenario, crash.name)
    found += [f"left {name}" for name in names(folder) - known]
    for name, data in written(folder).items():
        if data not in (old.get(name), new.get(name)) and not _so_far(scenario, folder, whole):
            found.append(f"{name} is neither the old file nor the new one")
    plain = run(folder, "-q")
    if plain.code != 0:
        found.append(f"the plain run ended with {plain.code}: {plain.output[-300:]}")
    if written(folder) not in (old, new) and not _so_far(scenario, folder, whole):
        found.append(f"neither old nor new: {sorted(written(folder))}")
    done, before = written(folder) == new, len(log(folder, "asked"))
    again = run(folder, *scenario.command)
    if again.code != 0 or written(folder) != new:
        found.append(f"ended with {again.code} and other bytes: {again.output[-300:]}")
    if done and len(log(folder, "asked")) > before:
        found.append("asked anew, though its files are in place")
    twice = sum(times - 1 for times in Counter(log(folder, "asked")).values())
    # Half as many cases again as calls are in work: their replies may not be stored yet.
    if twice > CONCURRENCY + CONCURRENCY // 2:
        found.append(f"{twice} calls were made twice")
    return Outcome(tuple(found), seconds, ended.processor - processor, twice)


def _so_far(scenario: Scenario, folder: Path, whole: Path) -> bool:
    """Return whether a stopped recording wrote some of the lines of a whole one."""
    lines = [
        {line for data in written(place).values() for line in data.splitlines()}
        for place in (folder, whole)
    ]
    return scenario.name == "record" and lines[0] <= lines[1]


def _interrupted(
    ended: Ended, seconds: float, patience: float, scenario: Scenario, name: str
) -> list[str]:
    """Return what is wrong with the end of a run by Ctrl-C."""
    found = []
    if seconds > patience:
        found.append(f"ended {seconds:.1f} s after Ctrl-C")
    # While files are written the study is done: they are written, or by the next run.
    if (
        scenario.command == OPTIMIZE
        and not name.endswith("of cases")  # before the study, while fixtures are set up
        and ended.code == pytest.ExitCode.INTERRUPTED
        and "replies so far are cached" not in ended.output
    ):
        found.append(f"does not say how to go on: {ended.output[-300:]}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per kill; return 1 if any check fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--random", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=["SIGKILL", "SIGINT"])
    parser.add_argument("--only", default="")
    parser.add_argument("--patience", type=float, default=2.0)
    given = parser.parse_args(arguments)
    signals = [int(signal.Signals[name]) for name in given.signals]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place:
        for scenario in SCENARIOS:
            folder, start, whole = (
                Path(place) / scenario.name / part for part in ("project", "start", "whole")
            )
            write_project(folder, scenario)
            shutil.copytree(folder, start)
            ended = run(folder, *scenario.command)
            shutil.copytree(folder, whole)
            changed = set(written(whole).items()) - set(written(start).items())
            asked = len(log(whole, "asked"))
            print(f"{scenario.name}: {asked} calls, {len(changed)} files", flush=True)
            if ended.code != 0 or not changed:
                print(ended.output)
                return 1
            for crash in list(crashes(whole, given.random, given.seed, signals)):
                signal_name = signal.Signals(crash.signal).name
                name = f"{signal_name} {scenario.name} {crash.kind} {crash.name}"
                if not re.search(given.only, name):
                    continue
                outcome = outcome_of(folder, start, scenario, crash, whole, given.patience)
                said = "; ".join(outcome.wrong) or "ok"
                took = f"{outcome.seconds:5.2f} s ({outcome.processor:.2f} s of processor)"
                print(f"{name:<60} {took}  {outcome.twice} twice  {said}", flush=True)
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
