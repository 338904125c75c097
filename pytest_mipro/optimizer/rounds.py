"""Rounds: bootstrap and propose from the incumbent, search, and again from what came out."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.bootstrap import (
    demo_pools,
    demo_sets,
    labelled_demos,
    merged_pools,
)
from pytest_mipro.optimizer.candidates import Candidates, committed_candidates, extended
from pytest_mipro.optimizer.evaluate import Meter, MeteredClient, cases_of
from pytest_mipro.optimizer.events import CandidatesReady
from pytest_mipro.optimizer.propose import GROUNDING_CALLS, Material, Proposer
from pytest_mipro.optimizer.record import Record, new_record
from pytest_mipro.optimizer.split import minibatch
from pytest_mipro.optimizer.strategies.strategy import ScoredInstruction
from pytest_mipro.optimizer.trials import BUDGET_USED_UP, SearchRound, SearchTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mipro.optimizer.evaluate import CaseRun
    from pytest_mipro.optimizer.ground import Ground
    from pytest_mipro.optimizer.grounding import Grounding
    from pytest_mipro.optimizer.search import Assignment
    from pytest_mipro.optimizer.study_run import StudyRun
    from pytest_mipro.runtime.prompt import Demo, Prompt


@dataclass(frozen=True)
class Searched:
    """What the rounds so far brought: candidates, the record of assignments, demo pools.

    `ended` says why the search ended before its time, "" where it did not.
    """

    candidates: Candidates
    record: Record
    pools: Mapping[Path, tuple[Demo, ...]] = field(default_factory=dict)
    grounding: Grounding | None = None
    ended: str = ""

    @property
    def best(self) -> Assignment:
        """The incumbent: the best assignment measured on all validation rows."""
        return self.record.best.assignment

    @property
    def program(self) -> dict[Path, Prompt]:
        """The incumbent's prompts by path."""
        return self.candidates.program(self.best)

    @property
    def tried(self) -> int:
        """How many assignments beside the committed one were measured."""
        return len(self.record.assessments) - 1

    def nothing_better(self) -> str:
        """Return why the committed prompts are still the best."""
        if self.ended and len(self.record.full) == 1:
            return f"{self.ended}, and no candidate was measured on all validation rows"
        return "no candidate beat the committed prompts on validation rows"


def search_rounds(run: StudyRun, ground: Ground) -> Searched:
    """Run all rounds and return what they brought; the budget may end them early."""
    candidates = committed_candidates(ground.signatures, ground.committed)
    searched = Searched(candidates, new_record(candidates, ground))
    run.start("search", run.settings.trials)
    for number in range(run.settings.rounds):
        if searched.ended or run.settings.trials_of(number) == 0:
            break
        runs = _training_runs(run, ground, searched, number)
        if runs is None:
            return replace(searched, ended=BUDGET_USED_UP)
        grown = _grow(run, ground, searched, runs, number)
        searched = _search(run, ground, searched, grown, number)
    return searched


def _training_runs(
    run: StudyRun, ground: Ground, searched: Searched, number: int
) -> Sequence[CaseRun] | None:
    """Return the incumbent's runs on training rows; None: the budget does not hold them.

    The committed prompts were run on all of them. A later incumbent runs on a sample, another one
    each round.
    """
    train = frozenset(ground.split.train)
    if searched.best == searched.candidates.committed:
        return [item for item in ground.baseline.evaluation.runs if item.case.row in train]
    tests: dict[str, set[str]] = {}
    for case in cases_of(ground.study, ground.split.train):
        tests.setdefault(case.row, set()).add(case.test)
    rows = minibatch(tests, run.settings.training_rows, run.settings.seed, draw=-number)
    calls = ground.baseline.worst_calls(rows)
    reservation = run.budget.reserve(
        calls, "the incumbent on training rows", keep=ground.full_calls
    )
    if reservation is None:
        return None
    cases = cases_of(ground.study, rows)
    return run.evaluator.start(searched.program, cases, reservation, repeats=False).result().runs


def _grow(
    run: StudyRun, ground: Ground, searched: Searched, runs: Sequence[CaseRun], number: int
) -> Searched:
    """Return the space with the round's new demo sets and instructions."""
    settings = run.settings
    key = f"{settings.seed}/{number}"
    train = frozenset(ground.split.train)
    tests = ground.study.tests
    passing = demo_pools(runs, train, tests, settings.seed)
    pools = merged_pools(merged_pools(passing, searched.pools), labelled_demos(runs, tests))
    searched = _proposals(run, ground, replace(searched, pools=pools), runs, number)
    modules = []
    for module in searched.candidates.modules:
        rng = random.Random(f"{key}/demos/{module.signature.name}")  # noqa: S311 - no secret
        pool = pools.get(module.signature.prompt_path, ())
        sets = demo_sets(pool, settings.candidates, settings.max_demos, rng)
        modules.append(extended(module, (), [(), *sets] if number == 0 else sets))
    searched = replace(searched, candidates=Candidates(tuple(modules)))
    run.services.emit(_ready(run, searched, number))
    return searched


def _ready(run: StudyRun, searched: Searched, number: int) -> CandidatesReady:
    modules = {item.signature.name: item for item in searched.candidates.modules}
    pools = searched.pools
    return CandidatesReady(
        run.study.name,
        number,
        {name: len(item.instructions) for name, item in modules.items()},
        {name: len(item.demo_sets) for name, item in modules.items()},
        {name: len(pools.get(item.signature.prompt_path, ())) for name, item in modules.items()},
    )


def _proposals(
    run: StudyRun, ground: Ground, searched: Searched, runs: Sequence[CaseRun], number: int
) -> Searched:
    """Add the round's proposed instructions; none where the budget does not hold the calls."""
    count = run.settings.candidates
    if count == 0:
        return searched
    grounding_calls = GROUNDING_CALLS if searched.grounding is None else 0
    calls = grounding_calls + count * len(ground.signatures)
    reservation = run.budget.reserve(calls, "the proposals", keep=ground.full_calls)
    if reservation is None:
        return searched
    run.start("proposals", calls)
    meter = Meter(reservation, run.ledger)
    proposer = Proposer(
        MeteredClient(run.services.client, meter),
        run.settings.proposer_model or ground.models[ground.signatures[0].prompt_path],
        run.services.strategies,
    )
    grounding = searched.grounding or proposer.ground(
        cases_of(ground.study, ground.split.train), runs, ground.signatures, run.settings.seed
    )
    material = Material(
        runs,
        searched.program,
        _history(searched),
        f"{run.settings.seed}/{number}",
    )
    texts = proposer.instructions(material, grounding, ground.signatures, count)
    meter.settle()
    modules = tuple(
        extended(module, texts[module.signature.prompt_path], ())
        for module in searched.candidates.modules
    )
    return replace(searched, candidates=Candidates(modules), grounding=grounding)


def _history(searched: Searched) -> dict[Path, list[ScoredInstruction]]:
    """Return each module's instructions, best first, with their best program's estimate."""
    history: dict[Path, list[ScoredInstruction]] = {}
    for index, module in enumerate(searched.candidates.modules):
        scores: dict[int, float] = {}
        for item in searched.record.assessments.values():
            choice = item.assignment[2 * index]
            scores[choice] = max(item.leading, scores.get(choice, 0.0))
        ranked = sorted(scores, key=lambda choice: (-scores[choice], choice))
        history[module.signature.prompt_path] = [
            ScoredInstruction(module.instructions[choice], scores[choice]) for choice in ranked
        ]
    return history


def _task(
    run: StudyRun,
    ground: Ground,
    candidates: Candidates,
    number: int,
    first: tuple[Assignment, ...],
) -> SearchTask:
    return SearchTask(
        study=ground.study,
        candidates=candidates,
        rows=ground.split.validation,
        baseline=ground.baseline,
        settings=run.settings,
        round=number,
        trials=run.settings.trials_of(number),
        full=run.settings.full_a_round,
        first=first,
        first_sample=ground.search_sample,
    )


def _search(
    run: StudyRun, ground: Ground, known: Searched, grown: Searched, number: int
) -> Searched:
    """Search the grown space, with what is known of it carried over."""
    first = grown.candidates.first(known.best, known.candidates)
    task = _task(run, ground, grown.candidates, number, first)
    seed = run.settings.seed + 1_000_003 * number  # another stream each round; seed 0 is a seed
    searcher = run.services.searcher(grown.candidates.space, seed)
    search = SearchRound(run, task, searcher, grown.record)
    search.run()
    return replace(grown, ended=search.ended)
