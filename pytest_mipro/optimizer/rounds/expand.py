"""How the space grows in a round: demos from what passes now, instructions from what fails."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.proposing.propose import CHARACTERS
from pytest_mipro.optimizer.rounds.demos import (
    demo_pools,
    demo_sets,
    labelled_demos,
    merged_pools,
)
from pytest_mipro.optimizer.rounds.teaching import parents_of, start_attempts, training_runs
from pytest_mipro.optimizer.run.events import CandidatesReady
from pytest_mipro.optimizer.search.candidates import Candidates, extended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.measuring.evaluate import Pending
    from pytest_mipro.optimizer.rounds.instructing import InstructionProposer
    from pytest_mipro.optimizer.rounds.search_state import SearchState
    from pytest_mipro.optimizer.rounds.teaching import Parent
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.runtime.prompts.prompt import Demo


def grow(
    run: StudyRun,
    ground: Ground,
    instructor: InstructionProposer,
    searched: SearchState,
    number: int,
) -> SearchState | None:
    """Return the space with the round's new demo sets and instructions.

    None: the budget does not hold the runs that they come from.
    """
    parents = training_runs(run, ground, searched, parents_of(run, searched, number), number)
    if parents is None:
        return None
    searched, parents = _with_late_modules(run, searched, parents)
    if run.settings.has("demos"):
        searched = replace(searched, pools=_passing(run, ground, searched, parents))
    # Instructions and further attempts need nothing of each other: both are asked for at once.
    trying = _trying(run, ground, searched, parents, number)
    if run.settings.has("instructions"):
        searched = instructor.extend(searched, parents, number)
    if run.settings.has("demos"):
        pools = _pools(run, ground, searched.pools, parents, trying)
        searched = _with_demo_sets(run, replace(searched, pools=pools), number)
    run.services.emit(_ready(run, searched, number))
    return searched


def _with_late_modules(
    run: StudyRun, searched: SearchState, parents: list[Parent]
) -> tuple[SearchState, list[Parent]]:
    """Add the modules that only a candidate's path reaches, with their committed prompts.

    The parents are returned as programs of the larger space.
    """
    known = {module.signature.prompt_path for module in searched.candidates.modules}
    late = {
        call.signature.prompt_path: call
        for parent in parents
        for item in parent.runs
        for call in item.calls
        if call.signature.optimize and call.signature.prompt_path not in known
    }
    if not late:
        return searched, parents
    run.services.check_modules([call.signature for call in late.values()])
    zeros = (0,) * (2 * len(late))
    larger = [replace(parent, assignment=parent.assignment + zeros) for parent in parents]
    models = {call.signature: call.model for call in late.values()}
    committed = {signature: run.services.load_prompt(signature) for signature in models}
    return searched.reaching(models, committed), larger


def _passing(
    run: StudyRun, ground: Ground, searched: SearchState, parents: Sequence[Parent]
) -> Mapping[Path, tuple[Demo, ...]]:
    """Return the demo pools: of the incumbent's runs first, of earlier rounds last."""
    train, tests = frozenset(ground.split.train), ground.study.tests
    pools = searched.pools
    for parent in reversed(parents):
        pools = merged_pools(demo_pools(parent.runs, train, tests, run.settings.seed), pools)
    return pools


def _trying(
    run: StudyRun, ground: Ground, searched: SearchState, parents: Sequence[Parent], number: int
) -> Pending | None:
    """Begin further attempts at what fails, where a teacher is there or the pools are small."""
    settings, tests = run.settings, ground.study.tests
    paths = [module.signature.prompt_path for module in searched.candidates.modules]
    few = any(len(searched.pools.get(path, ())) < settings.max_demos for path in paths)
    wanted = settings.teacher_model or (few and settings.has("attempts"))
    if not (wanted and settings.has("demos")):
        return None
    failing = [
        item.case
        for item in parents[0].runs
        if item.outcome.score is not None
        and item.case.demo
        and item.outcome.score < tests[item.case.test].pass_score
    ]
    program = searched.candidates.program(parents[0].assignment)
    return start_attempts(run, ground, program, failing, number)


def _pools(
    run: StudyRun,
    ground: Ground,
    passing: Mapping[Path, tuple[Demo, ...]],
    parents: Sequence[Parent],
    trying: Pending | None,
) -> Mapping[Path, tuple[Demo, ...]]:
    """Return the demo pools with what further attempts and labels add to those of passing runs."""
    train, tests = frozenset(ground.split.train), ground.study.tests
    pools = passing
    if trying is not None:
        more = trying.result().runs
        pools = merged_pools(pools, demo_pools(more, train, tests, run.settings.seed))
    return merged_pools(pools, labelled_demos(parents[0].runs, tests))


def _with_demo_sets(run: StudyRun, searched: SearchState, number: int) -> SearchState:
    settings = run.settings
    modules = []
    for module in searched.candidates.modules:
        name = module.signature.name
        rng = random.Random(f"{settings.seed}/{number}/demos/{name}")  # noqa: S311 - no secret
        pool = searched.pools.get(module.signature.prompt_path, ())
        limit = CHARACTERS * settings.max_demo_tokens
        sets = demo_sets(pool, settings.candidates, settings.max_demos, rng, limit)
        modules.append(extended(module, (), [(), *sets]))  # also of a module that comes late
    return replace(searched, candidates=Candidates(tuple(modules)))


def _ready(run: StudyRun, searched: SearchState, number: int) -> CandidatesReady:
    modules = {item.signature.name: item for item in searched.candidates.modules}
    pools = searched.pools
    return CandidatesReady(
        run.study.name,
        number,
        {name: len(item.instructions) for name, item in modules.items()},
        {name: len(item.demo_sets) for name, item in modules.items()},
        {name: len(pools.get(item.signature.prompt_path, ())) for name, item in modules.items()},
    )
