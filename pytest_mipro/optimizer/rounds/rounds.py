"""Run the rounds: expand the candidates from the best programs, search them, and repeat."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.measuring.evaluate import Pending
from pytest_mipro.optimizer.proposing.proposer_models import CHARACTERS_PER_TOKEN
from pytest_mipro.optimizer.rounds.bootstrap import (
    Parent,
    demo_pools,
    demo_sets,
    labelled_demos,
    length_of,
    merged_pools,
    parents_of,
    start_attempts,
    training_runs,
)
from pytest_mipro.optimizer.rounds.instruction_proposer import InstructionProposer
from pytest_mipro.optimizer.rounds.search_state import SearchState, baseline_record
from pytest_mipro.optimizer.rounds.trials import search_round
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import CandidatesReady
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.search.candidates import Candidates, committed_candidates, extended
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.prompts.prompt import Demo
from pytest_mipro.runtime.prompts.prompt_file import holds_demos


def expand_candidates(state: SearchState, proposer: InstructionProposer) -> SearchState | None:
    """Return the state with the round's new demo sets and instructions.

    None if the budget does not hold the runs that they come from.
    """
    parents = training_runs(state, parents_of(state))
    if parents is None:
        return None
    has = state.run.settings.has
    state, parents = _with_late_modules(state, parents)
    if has("demos"):
        pools = state.pools
        for parent in reversed(parents):  # the incumbent's demos end up first
            pools = merged_pools(_demos_of(state, parent.runs), pools)
        state = replace(state, pools=pools)
    # Instructions and further attempts don't depend on each other: both are requested at once.
    beside = proposer.worst_round if has("instructions") else NOTHING
    attempts = _start_attempts(state, parents[0], beside) if has("demos") else None
    if has("instructions"):
        state = proposer.extend(state, parents)
    if has("demos"):
        attempts = attempts or _start_attempts(state, parents[0])
        more = _demos_of(state, attempts.result().runs) if attempts else {}
        labelled = labelled_demos(parents[0].runs, state.baseline.study.tests)
        pools = merged_pools(merged_pools(state.pools, more), labelled)
        state = _with_demo_sets(replace(state, pools=pools))
    modules = {item.signature.label: item for item in state.candidates.modules}
    found = {name: state.pools.get(m.signature.prompt_path, ()) for name, m in modules.items()}
    most = _demo_limit(state)
    ready = CandidatesReady(
        state.run.study.name,
        state.round + 1,
        {name: len(item.instructions) for name, item in modules.items()},
        {name: len(item.demo_sets) for name, item in modules.items()},
        {name: len(pool) for name, pool in found.items()},
        {name: sum(length_of(demo) > most for demo in pool) for name, pool in found.items()},
    )
    state.run.services.emit(ready)
    return state


def _with_late_modules(
    state: SearchState, parents: list[Parent]
) -> tuple[SearchState, list[Parent]]:
    """Add the modules that only a candidate reaches; the parents get the larger space, too."""
    known = {module.signature.prompt_path for module in state.candidates.modules}
    late = {
        call.signature.prompt_path: call
        for parent in parents
        for item in parent.runs
        for call in item.calls
        if call.signature.optimize and call.signature.prompt_path not in known
    }
    if not late:
        return state, parents
    state.run.services.check_modules([call.signature for call in late.values()])
    zeros = (0,) * (2 * len(late))
    larger = [replace(parent, assignment=parent.assignment + zeros) for parent in parents]
    return state.with_modules({call.signature: call.model for call in late.values()}), larger


def _demos_of(state: SearchState, runs: Iterable[CaseRun]) -> Mapping[Path, tuple[Demo, ...]]:
    baseline = state.baseline
    train = frozenset(baseline.split.train)
    return demo_pools(runs, train, baseline.study.tests, state.run.settings.seed)


def _start_attempts(
    state: SearchState, incumbent: Parent, beside: Amount | None = None
) -> Pending | None:
    """Retry the incumbent's failing cases if there is a teacher or some pool is small."""
    settings, tests = state.run.settings, state.baseline.study.tests
    paths = [module.signature.prompt_path for module in state.candidates.modules]
    few = any(len(state.pools.get(path, ())) < settings.max_demos for path in paths)
    if not (settings.teacher_model or (few and settings.has("attempts"))):
        return None
    failing = [
        item.case
        for item in incumbent.runs
        if item.outcome.score is not None
        and item.case.demo
        and not tests[item.case.test].passes(item.outcome.score)
    ]
    return start_attempts(state, state.candidates.program(incumbent.assignment), failing, beside)


def _with_demo_sets(state: SearchState) -> SearchState:
    settings = state.run.settings
    modules = []
    for module in state.candidates.modules:
        name = module.signature.name
        rng = random.Random(f"{settings.seed}/{state.round}/demos/{name}")  # noqa: S311 - no secret
        path = module.signature.prompt_path
        pool = state.pools.get(path, ()) if holds_demos(path) else ()
        sets = demo_sets(pool, settings.candidates, settings.max_demos, rng, _demo_limit(state))
        modules.append(extended(module, (), [(), *sets]))  # late modules get the empty set, too
    return replace(state, candidates=Candidates(tuple(modules)))


def _demo_limit(state: SearchState) -> int:
    return CHARACTERS_PER_TOKEN * state.run.settings.max_demo_tokens


def search_rounds(run: StudyRun, baseline: Baseline) -> SearchState:
    """Run all rounds and return the final state; limits, plateau or perfection end them early."""
    candidates = committed_candidates(baseline.signatures, baseline.committed)
    record = baseline_record(candidates, baseline)
    state = SearchState(run, baseline, candidates, record)
    proposer = InstructionProposer(run, baseline)
    settings = run.settings
    run.start("search", settings.trials)
    idle = 0
    for number in range(settings.rounds):
        if state.ended or settings.trials_of(number) == 0:
            break
        if state.perfect:
            return replace(state, ended=state.perfect)
        before = replace(state, round=number)
        try:
            expanded = expand_candidates(before, proposer)
        except LimitReachedError as error:
            run.end_search()
            reason = run.services.describe_error(error)
            return replace(state, ended=f"the search ended early: {reason}")
        if expanded is None:
            reason = "what is left does not hold another round's training runs"
            return replace(state, ended=f"the search ended early: {reason}")
        late = {item: model for item, model in expanded.late.items() if item not in before.late}
        known = before.with_modules(late).candidates
        state = search_round(expanded, expanded.candidates.first(expanded.best, known))
        state = proposer.learn(state)
        idle = 0 if state.best != expanded.best else idle + 1
        if settings.has("plateau") and idle >= settings.patience and number + 1 < settings.rounds:
            reason = f"the search ended after {idle} rounds without a better program"
            return replace(state, ended=state.ended or reason)
    return state
