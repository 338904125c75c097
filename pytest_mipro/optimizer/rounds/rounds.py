"""Run the rounds: expand the candidates from the best programs, search them, and repeat."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.rounds.bootstrap import (
    demo_pools,
    labelled_demos,
    start_attempts,
    training_runs,
)
from pytest_mipro.optimizer.rounds.demo_pools import DemoPools
from pytest_mipro.optimizer.rounds.demo_sets import (
    WAYS,
    DemoSet,
    DemoSource,
    base_of,
    length_of,
    next_sets,
)
from pytest_mipro.optimizer.rounds.instruction_proposer import InstructionProposer
from pytest_mipro.optimizer.rounds.search_state import SearchState, baseline_record
from pytest_mipro.optimizer.rounds.trials import Join, measure_leaders, search_round
from pytest_mipro.optimizer.run.attempts import tests_to_attempt
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import CandidatesReady
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.search.candidates import Candidates, committed_candidates, extended
from pytest_mipro.optimizer.search.credit_assignment import main_effects
from pytest_mipro.optimizer.study.amount import NOTHING
from pytest_mipro.optimizer.study.case import Case, CaseRun
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.number_words import counted


def search_rounds(run: StudyRun, baseline: Baseline) -> SearchState:
    """Run all rounds and return the final state; limits, plateau or perfection end them early."""
    candidates = committed_candidates(baseline.signatures, baseline.committed)
    record = baseline_record(candidates, baseline)
    state = SearchState(run, baseline, candidates, record)
    proposer = InstructionProposer(run, baseline)
    run.start("search", run.settings.trials)
    idle = 0
    for number in range(run.settings.rounds):
        if state.ended or run.settings.trials_of(number) == 0:
            break
        if state.perfect or state.solved:
            state = replace(state, ended=state.perfect or state.solved)
            break
        before, state = state.incumbent, _search_once(replace(state, round=number), proposer)
        widened = (*before, *[0] * (len(state.incumbent) - len(before)))  # by modules found late
        idle = 0 if state.incumbent != widened else idle + 1
        if _plateau(state, idle) and not state.ended:
            reason = f"the search ended after {counted(idle, 'round')} without a better program"
            state = replace(state, ended=reason)
    return measure_leaders(state)


def _search_once(state: SearchState, proposer: InstructionProposer) -> SearchState:
    """Return the state after another round."""
    run = state.run
    try:
        runs = training_runs(state)
        if runs is None:
            return state.cut("what is left does not hold another round's training runs")
        return proposer.learn(_round_from(_with_late_modules(state, runs), runs, proposer))
    except LimitReachedError as error:
        run.end_search()
        return state.cut(run.services.describe_error(error))


def _round_from(
    state: SearchState, runs: Sequence[CaseRun], proposer: InstructionProposer
) -> SearchState:
    """Search the round's new demo sets and instructions, which come from `runs`.

    Instructions depend neither on further attempts nor on demo sets: they are asked for beside
    these, and beside the first trials.
    """
    settings, program = state.run.settings, state.candidates.program(state.incumbent)
    # What training rows taught the incumbent is in its replies, which become demos.
    taught = state.taught or state.made_for_training(state.incumbent)
    state = replace(state, taught=taught)
    shown = [*runs, *_validation_runs(state)]
    attempts, failing = None, list[Case]()
    if settings.has("demos"):
        pools = _demos_of(state, runs).with_older(_demos_of(state, shown))
        state = replace(state, pools=pools.with_older(state.pools))
        failing = _to_attempt(state, runs)
        beside = proposer.worst_round if settings.has("instructions") else NOTHING
        attempts = start_attempts(state, program, failing, beside)
    with proposer.asking(state, runs) as join:
        if failing and attempts is None:  # they may fit after the proposals
            state = join(state)
            attempts = start_attempts(state, program, failing)
        if settings.has("demos"):
            attempted = state.run.awaited("bootstrap", attempts).runs if attempts else ()
            more = _demos_of(state, attempted)
            labelled = labelled_demos(shown, state.baseline.study.tests)
            pools = state.pools.with_older(more).with_older(labelled)
            state = _with_demo_sets(replace(state, pools=pools), runs)
        return search_round(state, partial(_joined, join))


def _joined(join: Join, state: SearchState) -> SearchState:
    """Return the state with the candidates to come, and report all that there are.

    Also where a limit ends the wait for them: leaders may follow, of modules found just now.
    """
    try:
        joined = join(state)
    except LimitReachedError:
        _report(state)
        raise
    _report(joined)
    return joined


def _report(state: SearchState) -> None:
    modules = {item.signature.label: item for item in state.candidates.modules}
    found = {name: state.pools.of(m.signature.prompt_path) for name, m in modules.items()}
    limits = {name: _demo_limit(state, item.signature) for name, item in modules.items()}
    ready = CandidatesReady(
        state.run.study.name,
        state.round + 1,
        {name: len(item.instructions) for name, item in modules.items()},
        {name: len(item.demo_sets) for name, item in modules.items()},
        {name: len(pool) for name, pool in found.items()},
        {
            name: sum(length_of(demo) > limits[name] for demo in pool)
            for name, pool in found.items()
        },
        state.candidates.modules,
        state.ways,
    )
    state.run.services.emit(ready)


def _validation_runs(state: SearchState) -> list[CaseRun]:
    """Return the baseline's runs on validation rows that are no unit with others.

    They are demos for all rows but their own; those of a cluster would be judged by its other rows.
    """
    split = state.baseline.split
    sizes = Counter(split.units.get(row, row) for row in split.validation)
    rows = {row for row in split.validation if sizes[split.units.get(row, row)] == 1}
    return [item for item in state.baseline.evaluation.runs if item.case.row in rows]


def _with_late_modules(state: SearchState, runs: Sequence[CaseRun]) -> SearchState:
    """Add the modules that only a candidate reaches."""
    known = {module.signature.prompt_path for module in state.candidates.modules}
    late = {
        call.signature.prompt_path: call
        for item in runs
        for call in item.calls
        if call.signature.optimize and call.signature.prompt_path not in known
    }
    if not late:
        return state
    state.run.services.check_modules([call.signature for call in late.values()])
    return state.with_modules({call.signature: call.model for call in late.values()})


def _demos_of(state: SearchState, runs: Iterable[CaseRun]) -> DemoPools:
    baseline = state.baseline
    rows = frozenset((*baseline.split.train, *baseline.split.validation))
    return demo_pools(runs, rows, baseline.study.tests, state.run.settings.seed)


def _to_attempt(state: SearchState, runs: Sequence[CaseRun]) -> list[Case]:
    """Return the incumbent's failing cases of the tests that may give demos which are wanted."""
    demos = {path: len(pool) for path, pool in state.pools.demos.items()}
    tests = tests_to_attempt(runs, demos, state.run.settings)
    mine = [item for item in runs if item.case.test in tests]
    return [item.case for item in mine if item.case.demo and _fails(state, item)]


def _with_demo_sets(state: SearchState, runs: Sequence[CaseRun]) -> SearchState:
    settings, committed = state.run.settings, state.candidates.committed
    effects = main_effects(state.record.known, committed)
    failing = {item.case.row for item in runs if _fails(state, item)}
    modules, ways, taught = [], dict(state.ways), set(state.taught_sets)
    for index, module in enumerate(state.candidates.modules):
        path, name = module.signature.prompt_path, module.signature.full_name
        offered = [
            DemoSet(
                demos,
                ways.get(Prompt("", demos).digest(), WAYS[0]),
                effects.get((2 * index + 1, choice)) if choice else 0.0,
            )
            for choice, demos in enumerate(module.demo_sets)
        ]
        source = DemoSource(
            state.pools.of(path),
            failing,
            _demo_limit(state, module.signature),
            settings.max_demos,
            random.Random(f"{settings.seed}/{state.round}/demos/{name}"),  # noqa: S311 - no secret
            len(state.candidates.modules),
            state.pools.scores,
        )
        drawn = next_sets(source, offered, settings.candidates)
        digests = {Prompt("", item.demos).digest(): item.way for item in drawn}
        ways |= digests
        taught |= digests.keys() if state.taught else set()
        # The new ones first; late modules get the empty set, too.
        origin = state.incumbent[2 * index], base_of(offered)
        modules.append(extended(module, (), [*(i.demos for i in drawn), ()], origin))
    candidates = Candidates(tuple(modules))
    return replace(state, candidates=candidates, ways=ways, taught_sets=frozenset(taught))


def _fails(state: SearchState, run: CaseRun) -> bool:
    score, test = run.outcome.score, state.baseline.study.tests[run.case.test]
    return score is not None and not test.passes(score)


def _demo_limit(state: SearchState, signature: Signature) -> int:
    """Return how many bytes of demos the module may be shown, at the tokens its model counts."""
    late = {item.prompt_path: model for item, model in state.late.items()}
    model = {**late, **state.baseline.models}[signature.prompt_path]
    return state.baseline.sizes.bytes(model, state.run.settings.max_demo_tokens)


def _plateau(state: SearchState, idle: int) -> bool:
    """Return whether more rounds follow, and neither the last ones nor an untried move help."""
    settings = state.run.settings
    over = settings.has("plateau") and idle >= settings.patience
    more = state.round + 1 < settings.rounds
    return over and more and not state.candidates.untried(state.record.tried)
