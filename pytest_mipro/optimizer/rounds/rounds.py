"""Run the rounds: expand the candidates from the best programs, search them, and repeat."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.budget.limit_errors import limit_of
from pytest_mipro.optimizer.rounds.expand_candidates import expand_candidates
from pytest_mipro.optimizer.rounds.instruction_proposer import InstructionProposer
from pytest_mipro.optimizer.rounds.search_state import SearchState, TryReserve, baseline_record
from pytest_mipro.optimizer.rounds.trials import search_round
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.study_run import StudyRun
from pytest_mipro.optimizer.search.candidates import committed_candidates

_NO_ROUND = "the search ended early: what is left does not hold another round's training runs"


def search_rounds(
    run: StudyRun, baseline: Baseline, try_reserve: TryReserve = lambda _: True
) -> SearchState:
    """Run all rounds and return the final state; limits, plateau or perfection end them early.

    Only programs for which `try_reserve` can reserve a decision are tried.
    """
    candidates = committed_candidates(baseline.signatures, baseline.committed)
    record = baseline_record(candidates, baseline)
    state = SearchState(run, baseline, candidates, record, try_reserve)
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
            ended = f"the search ended early: {error}"
            return replace(state, ended=ended, limit=limit_of(error))
        if expanded is None:
            return replace(state, ended=_NO_ROUND)
        late = {item: model for item, model in expanded.late.items() if item not in before.late}
        known = before.with_modules(late).candidates
        state = search_round(expanded, expanded.candidates.first(expanded.best, known))
        state = proposer.learn(state)
        idle = 0 if state.best != expanded.best else idle + 1
        if settings.has("plateau") and idle >= settings.patience and number + 1 < settings.rounds:
            reason = f"the search ended after {idle} rounds without a better program"
            return replace(state, ended=state.ended or reason)
    return state
