"""Rounds: bootstrap and propose from the best programs, search, and again from what came out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mipro.errors import LimitReachedError
from pytest_mipro.optimizer.budget.limit_errors import limit_of
from pytest_mipro.optimizer.rounds.expand import grow
from pytest_mipro.optimizer.rounds.instructing import InstructionProposer, combines, switched_on
from pytest_mipro.optimizer.rounds.search_state import SearchState, new_record
from pytest_mipro.optimizer.rounds.search_task import SearchTask
from pytest_mipro.optimizer.rounds.trials import SearchRound
from pytest_mipro.optimizer.search.candidates import committed_candidates

if TYPE_CHECKING:
    from pytest_mipro.optimizer.rounds.search_task import Affordable
    from pytest_mipro.optimizer.run.baseline import Ground
    from pytest_mipro.optimizer.run.study_run import StudyRun
    from pytest_mipro.optimizer.search.candidates import Candidates

_NO_ROUND = "the search ended early: what is left does not hold another round's training runs"


def search_rounds(
    run: StudyRun, ground: Ground, affordable: Affordable = lambda _: True
) -> SearchState:
    """Run all rounds and return what they brought; limits, plateau or perfection end them early.

    Programs are tried that are `affordable` as a finalist.
    """
    candidates = committed_candidates(ground.signatures, ground.committed)
    searched = SearchState(candidates, new_record(candidates, ground))
    instructor = InstructionProposer(run, ground)
    settings = run.settings
    run.start("search", settings.trials)
    idle = 0
    for number in range(settings.rounds):
        if searched.ended or settings.trials_of(number) == 0:
            break
        if searched.perfect:
            return replace(searched, ended=searched.perfect)
        try:
            grown = grow(run, ground, instructor, searched, number)
        except LimitReachedError as error:
            run.end_search()
            ended = f"the search ended early: {error}"
            return replace(searched, ended=ended, limit=limit_of(error))
        if grown is None:
            return replace(searched, ended=_NO_ROUND)
        best = grown.best
        searched = _search(run, ground, searched, grown, number, affordable)
        instructor.learn(searched, number)
        searched = replace(searched, lessons=tuple(instructor.lessons))
        idle = 0 if searched.best != best else idle + 1
        if settings.has("plateau") and idle >= settings.patience and number + 1 < settings.rounds:
            reason = f"the search ended after {idle} rounds without a better program"
            return replace(searched, ended=searched.ended or reason)
    return searched


def _search(
    run: StudyRun,
    ground: Ground,
    known: SearchState,
    grown: SearchState,
    number: int,
    affordable: Affordable,
) -> SearchState:
    """Search the grown space, with what is known of it carried over."""
    settings, candidates = run.settings, grown.candidates
    first = candidates.first(grown.best, _before(run, known, grown))
    task = SearchTask(
        study=ground.study,
        candidates=candidates,
        rows=ground.split.validation,
        baseline=ground.baseline,
        settings=settings,
        round=number,
        trials=settings.trials_of(number),
        full=settings.full_a_round,
        first=first,
        rules=replace(ground.rules, first_sample=ground.search_sample),
        strategies=tuple(
            item for item in switched_on(run.services.strategies, settings) if combines(item)
        ),
        affordable=affordable,
    )
    seed = settings.seed + 1_000_003 * number  # another stream each round; seed 0 is a seed
    searcher = run.services.searcher(candidates.space, seed)
    search = SearchRound(run, task, searcher, grown.record)
    search.run()
    return replace(grown, ended=search.ended, limit=search.limit)


def _before(run: StudyRun, known: SearchState, grown: SearchState) -> Candidates:
    """Return what was known before the round, with the modules that were reached in it."""
    late = [item for item in grown.late if item not in known.late]
    return known.candidates.with_modules({item: run.services.load_prompt(item) for item in late})
