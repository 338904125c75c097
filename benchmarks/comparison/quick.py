"""Run only the optimiser on the worlds, in process: for work on the optimiser.

    python -m benchmarks.comparison.quick [--world W …] [--seeds N] [--parts no-P]

Runs `pytest_mipro.optimizer.mipro.optimize` with the simulated model in this process, several seeds
at once, and prints for each the score on the test rows before and after, the distinct LM calls and
tokens of the optimisation, and how it was decided. The whole product over HTTP, and its peers: run
`python -m benchmarks.comparison`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.project import columns, load_pipeline, write_project
from benchmarks.comparison.worlds import WORLDS
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import LessonsLearnt
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.tpe import TPESearcher
from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
from pytest_mipro.optimizer.study.settings import DEFAULT, PARTS
from pytest_mipro.plugin.config.options import EFFORTS, Options
from pytest_mipro.plugin.optimise.inputs.optimizer_inputs import (
    BuiltIns,
    optimizer_settings,
    startup_trials,
)
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.settings import configure
from pytest_mipro.simulated.client import SimulatedClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.comparison.world import World
    from pytest_mipro.optimizer.proposing.proposal_plan import Lesson
    from pytest_mipro.optimizer.run.events import Event
    from pytest_mipro.optimizer.run.result import StudyResult
    from pytest_mipro.optimizer.study.case import Study as StudyType
    from pytest_mipro.optimizer.study.settings import OptimizerSettings
    from pytest_mipro.runtime.client.contract import Reply, Request

    Emit = Callable[[Event], None]

MODEL = "simulated/small"


@dataclass(frozen=True)
class Setup:
    """How to run, in the product's own options; with `rows` on the first ones of a world alone."""

    effort: str
    searcher: str
    parts: tuple[str, ...]
    labels: bool
    rows: int | None = None


@dataclass(frozen=True)
class Measured:
    """One world and seed: test scores in 0…1, distinct calls, tokens, seconds, the decision."""

    world: str
    seed: int
    before: float
    after: float
    calls: int
    tokens: int
    seconds: float
    decision: str


class RememberingClient:
    """The simulated model behind a memory, as the product's cache: equal requests are one call."""

    def __init__(self) -> None:
        self._inner = SimulatedClient()
        self._replies: dict[str, Reply] = {}

    @property
    def calls(self) -> int:
        return len(self._replies)

    @property
    def tokens(self) -> int:
        used = (reply.usage for reply in self._replies.values())
        return sum(usage.prompt_tokens + usage.completion_tokens for usage in used)

    async def complete(self, request: Request) -> Reply:
        digest = request.digest("")
        if digest not in self._replies:
            self._replies[digest] = await self._inner.complete(request)
        return self._replies[digest]

    def endpoint(self, model: str) -> str:
        return self._inner.endpoint(model)

    async def aclose(self) -> None:
        pass


def run(world: str, seed: int, setup: Setup) -> Measured:
    """Optimise one draw of a world."""
    here, client = drawn(world, seed, setup), RememberingClient()
    began = time.perf_counter()
    with searched(here, seed, setup, client) as (program, result):
        seconds, calls, tokens = time.perf_counter() - began, client.calls, client.tokens
        before = test_score(here, program, {})
        after = test_score(here, program, result.prompts) if result.prompts else before
    return Measured(world, seed, before, after, calls, tokens, seconds, result.reason)


@contextmanager
def searched(
    here: World, seed: int, setup: Setup, client: RememberingClient, emit: Emit | None = None
) -> Iterator[tuple[Callable[..., str], StudyResult]]:
    """Optimise a draw of a world; yield its program, whose files are there meanwhile."""
    configure(model=MODEL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / f"{here.name}{seed}"
        write_project(folder, here, {}, labels=setup.labels)
        program = load_pipeline(folder).program
        settings = settings_of(setup, seed)
        services = replace(services_of(client, setup, settings), emit=emit or _nothing)
        yield program, optimize(study_of(here, program, labels=setup.labels), services, settings)


def drawn(world: str, seed: int, setup: Setup) -> World:
    """Return one draw of a world, with as many rows as the set-up says."""
    here = WORLDS[world](seed)
    return replace(here, rows=here.rows[: setup.rows])


def lessons_of(world: str, seed: int, setup: Setup) -> list[Lesson]:
    """Optimise one draw of a world, and return what its proposals taught about asking."""
    told: list[Lesson] = []

    def emit(event: Event) -> None:
        if isinstance(event, LessonsLearnt):
            told.extend(event.lessons)

    with searched(drawn(world, seed, setup), seed, setup, RememberingClient(), emit):
        return told


def study_of(world: World, program: Callable[..., str], *, labels: bool) -> StudyType:
    """Return the study that the project's test would be."""
    test = f"test_{world.answer}"
    cases = tuple(
        Case(
            f"{test}[{row['id']}]", row["id"], test, judged(program, row, world.answer), columns=row
        )
        for row in columns(world, world.rows)
    )
    marked = {world.stages[-1].name: world.answer} if labels else {}
    return Study("tests/test_program.mipro", cases, {test: TestSpec(test, labels=marked)})


def judged(
    program: Callable[..., str], row: Mapping[str, str], answer: str
) -> Callable[[], Outcome]:
    """Return what the project's test does with a row."""
    inputs = {name: value for name, value in row.items() if name not in ("id", answer)}

    def test() -> Outcome:
        given = program(**inputs)
        if given == row[answer]:
            return Outcome(1.0)
        return Outcome(0.0, feedback=f"assert {given!r} == {row[answer]!r}")

    return test


def settings_of(setup: Setup, seed: int) -> OptimizerSettings:
    """Return the settings that the product makes of its options."""
    options = Options(optimize=True, seed=seed, effort=setup.effort)
    return optimizer_settings(options, setup.effort, parts=switched(setup.parts))


def switched(names: Sequence[str]) -> frozenset[str]:
    """Return the parts that are on where `history` switches one on, and `no-history` off."""
    parts = set(DEFAULT)
    for name in names:
        part = name.removeprefix("no-")
        if part not in PARTS:
            raise SystemExit(f"--parts: {part!r} is no part; known are {', '.join(PARTS)}")
        (parts.discard if name.startswith("no-") else parts.add)(part)
    return frozenset(parts)


def services_of(client: Any, setup: Setup, settings: OptimizerSettings) -> Services:
    """Return the product's services without pytest around them."""

    def searcher(space: Any, seed: int) -> Any:
        if setup.searcher == "random":
            return RandomSearcher(space, seed)
        return TPESearcher(space, seed, startup=startup_trials(settings.trials))

    return Services(
        client=client,
        searcher=searcher,
        strategies=BuiltIns().pytest_mipro_proposal_strategies(),
        check_modules=_nothing,
        finalists_shown=(),
        earlier_holdout_uses=0,
        record_holdout_use=lambda finalist: (finalist,),
        emit=_nothing,
        load_prompt=committed_prompt,
    )


def _nothing(_: object) -> None:
    pass


def test_score(world: World, program: Callable[..., str], prompts: Mapping[Path, Any]) -> float:
    """Return the share of test rows that the program gets right under the prompts."""
    client = SimulatedClient()
    right = 0
    for row in world.test_rows:
        with use(CallContext(client, prompts)):
            right += program(**row.inputs) == row.answer
    return right / len(world.test_rows)


def report(found: Sequence[Measured]) -> None:
    """Print the means over seeds of each world, and over worlds."""
    heads = ("before", 7), ("after", 7), ("lift", 7), ("calls", 7), ("tokens", 9), ("s", 6)
    print(f"\n{'world':<12} " + " ".join(f"{head:>{width}}" for head, width in heads))
    lines = {name: [one for one in found if one.world == name] for name in WORLDS}
    for name, group in [*lines.items(), ("mean", list(found))]:
        if group:
            before, after = fmean(m.before for m in group), fmean(m.after for m in group)
            calls, tokens = fmean(m.calls for m in group), fmean(m.tokens for m in group)
            scores = f"{before:7.3f} {after:7.3f} {after - before:+7.3f}"
            seconds = fmean(m.seconds for m in group)
            print(f"{name:<12} {scores} {calls:7.0f} {tokens:9,.0f} {seconds:6.1f}")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison.quick",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--world", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    add("--seeds", type=int, default=3, help="how many, from 0 on, unless --first says otherwise")
    add("--first", type=int, default=0, help="the first seed")
    add("--effort", choices=EFFORTS, default="light")
    add("--rows", type=int, help="only the first rows of each world, by default all")
    add("--searcher", choices=("tpe", "random"), default="tpe")
    add("--parts", default="", help="[no-]PART[,…]: parts to switch on or off")
    add("--no-labels", action="store_true", help="leave out the mark's `labels`")
    add("--jobs", type=int, default=2, help="processes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    options = parsed(arguments)
    parts = tuple(part for part in options.parts.split(",") if part)
    labels = not options.no_labels
    setup = Setup(options.effort, options.searcher, parts, labels, options.rows)
    found = []
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [
            pool.submit(run, world, options.first + seed, setup)
            for world in options.world
            for seed in range(options.seeds)
        ]
        for job in jobs:
            one = job.result()
            found.append(one)
            print(
                f"{one.world:<12} seed {one.seed}  {one.before:.3f} -> {one.after:.3f}  "
                f"{one.calls:5} calls  {one.tokens:9,} tokens  {one.seconds:5.1f} s  "
                f"{one.decision}",
                flush=True,
            )
    report(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
