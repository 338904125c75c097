"""What 10,000 cases and 500 trials take: memory, the search's own time a trial, linearity.

    python benchmarks/scale.py [--cases N] [--trials N] [--gate-cases N] [--gate-runs N]

A stub client answers at once, so that only our own code is measured. `search` optimises one module
over N cases in its own process, and prints the peak resident memory and the searching thread's
processor time per trial: over all trials, and over the last tenth. `gate` collects and gates the
project of `gate_speed.py` at a quarter of the cases and at all of them, from the cache, and prints
the processor time per case of both, less what pytest takes for one case: a ratio of 1 is linear.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_mipro import lm_module
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.proposing.strategies import GroundedStrategy, ReflectiveStrategy
from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.optimizer.search.tpe import TPESearcher
from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 10
CANDIDATES = 8
_MIB = 1024


@lm_module(model="stub/model")
def parity(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""


class Stub:
    """Answers at once: correctly if the number and the prompt's length agree by a hash."""

    at_once = True

    async def complete(self, request: Request) -> Reply:
        """Return a label, or another instruction each time."""
        wanted = request.messages[-1].content
        if not wanted.startswith("<number>"):
            text = f"Look at the last digit, way {len(wanted)} of {request.sample}."
        else:
            number = int(wanted.split()[1])
            lucky = (number * 7919 + len(request.messages[0].content) * 31) % 10 < 6
            text = ("even", "odd")[number % 2 if lucky else 1 - number % 2]
        return Reply(text, Usage(20, 1), cost=0.0)

    def endpoint(self, model: str) -> str:  # noqa: ARG002 - the contract's signature
        """Return the default endpoint."""
        return ""

    async def aclose(self) -> None:
        """Nothing to release."""


@dataclass
class Clock:
    """The processor time of the searching thread at the end of each trial."""

    times: list[float] = field(default_factory=list)

    def __call__(self, event: Any) -> None:
        """Note the time of a trial's end."""
        if isinstance(event, TrialFinished):
            self.times.append(time.thread_time())


def study_of(cases: int) -> Study:
    """Return a study with this many rows of one test."""

    def run(number: int) -> Callable[[], Outcome]:
        right = ("even", "odd")[number % 2]
        return lambda: Outcome(float(parity(number=str(number)) == right))

    rows = tuple(
        Case(f"test[{n}]", f"r{n}", "test", run(n), {"number": str(n)}) for n in range(cases)
    )
    return Study("scale", rows, {"test": TestSpec("test")})


def search(cases: int, trials: int) -> str:
    """Optimise in this process and return the figures as text."""
    clock = Clock()
    services = Services(
        client=Stub(),
        searcher=lambda space, seed: TPESearcher(space, seed, startup=10),
        strategies=[GroundedStrategy(), ReflectiveStrategy()],
        check_modules=lambda _: None,
        finalists_shown=(),
        earlier_holdout_uses=0,
        record_holdout_use=lambda finalist: (finalist,),
        emit=clock,
        load_prompt=committed_prompt,
    )
    settings = OptimizerSettings(
        rounds=min(ROUNDS, trials),
        trials=trials,
        candidates=CANDIDATES,
        leaders=0,
        parts=OptimizerSettings().parts - {"plateau"},
    )
    result = optimize(study_of(cases), services, settings)
    gaps = sorted_gaps(clock.times)
    last = gaps[-max(1, len(gaps) // 10) :]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    return (
        f"{cases:,} cases, {len(clock.times)} trials, {result.calls:,} calls: {peak:,.0f} MiB; "
        f"the search took {mean(gaps):.2f} ms a trial, {mean(last):.2f} ms in the last tenth"
    )


def sorted_gaps(times: Sequence[float]) -> list[float]:
    """Return the milliseconds between trials, those that fall between two rounds left out.

    There demos are drawn and proposals made, which is no part of a trial.
    """
    gaps = [1000 * (late - early) for early, late in pairwise(times)]
    longest = sorted(gaps)[-ROUNDS:] if len(gaps) > 2 * ROUNDS else []
    return [gap for gap in gaps if not longest or gap < longest[0]]


def mean(values: Sequence[float]) -> float:
    """Return the mean, 0 of nothing."""
    return sum(values) / max(1, len(values))


def gate(cases: int, runs: int) -> str:
    """Gate a quarter of the cases and all of them, and return the figures as text."""
    speed = _gate_speed()
    one, few, many = (_processor(speed, count, runs) for count in (1, cases // 4, cases))
    small = 1000 * (few - one) / (cases // 4)
    large = 1000 * (many - one) / cases
    return (
        f"gate: {small:.2f} ms a case at {cases // 4:,} cases, {large:.2f} at {cases:,}: "
        f"ratio {large / small:.2f}"
    )


def _processor(speed: Any, cases: int, runs: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        speed.write_project(folder, cases)
        return float(min(speed.run(folder, speed.GATE).processor for _ in range(runs)))


def _gate_speed() -> Any:
    name = "gate_speed"
    if name not in sys.modules:
        path = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} is missing")
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=10_000, help="cases of the search")
    parser.add_argument("--trials", type=int, default=500, help="trials of the search")
    parser.add_argument("--gate-cases", type=int, default=10_000, help="cases of the gate, 0: none")
    parser.add_argument("--gate-runs", type=int, default=2, help="of each size; the fastest counts")
    parser.add_argument("--search-alone", action="store_true", help="in this process")
    options = parser.parse_args(arguments)
    if options.search_alone:
        print(search(options.cases, options.trials), flush=True)
        return 0
    # In its own process, so that only its memory is measured.
    size = [f"--cases={options.cases}", f"--trials={options.trials}"]
    command = [sys.executable, __file__, "--search-alone", *size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the search was not measured: {done.stderr[-2000:]}")
    print(done.stdout, end="", flush=True)
    if options.gate_cases:
        print(gate(options.gate_cases, options.gate_runs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
