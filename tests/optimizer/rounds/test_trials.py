"""Trials: their order and numbers, what they estimate, and which program is the incumbent."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from made_runs import RULES, assessed, knowing, searched
from optimizer_world import (
    HARD,
    Played,
    baseline_of,
    make_rows,
    make_study,
    metric_hard,
    play,
    play_wandering,
    trials_of,
)
from world_model import MODEL, PROPOSER, WorldClient, answer, module_of, own_row, way_of

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.rounds.trials import search_round
from pytest_mipro.optimizer.search.assessments import Assessment, Record
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.study.case import CaseCost, cases_of
from pytest_mipro.runtime.client.contract import Request


@pytest.fixture(scope="module")
def played() -> Played:
    return play(HARD, minibatch_size=4, seed=2)


def test_trials_are_told_in_order_and_numbered_from_one(played: Played) -> None:
    assert [trial.number for trial in trials_of(played)] == list(
        range(1, len(trials_of(played)) + 1)
    )


def test_trial_numbers_go_on_from_round_to_round() -> None:
    played = play_wandering(rounds=3, trials=30, max_demos=0, leaders=0)
    assert [trial.number for trial in trials_of(played)] == list(
        range(1, len(trials_of(played)) + 1)
    )


def test_minibatches_and_the_leaders_fully(played: Played) -> None:
    trials = trials_of(played)
    minibatches = [trial for trial in trials if trial.kind == "minibatch"]
    assert {trial.rows for trial in minibatches if trial.round == 1} == {4}
    assert len({trial.assignment for trial in minibatches}) == played.result.trials
    assert played.result.trials >= played.settings.trials
    full = [trial for trial in trials if trial.kind == "full"]
    assert 1 <= len(full) <= played.settings.leaders
    assert full == trials[-len(full) :]
    assert all(trial.rows == 16 for trial in full)
    best = {trial.assignment: trial.estimate for trial in minibatches}
    assert best[full[0].assignment] == max(best.values())


def test_the_leader_alone_is_measured_again_on_each_rounds_rows(played: Played) -> None:
    trials = [trial for trial in trials_of(played) if trial.kind == "minibatch"]
    assignments = [trial.assignment for trial in trials]
    again = [t for place, t in enumerate(trials) if t.assignment in assignments[:place]]
    assert [trial.round for trial in again] == [2]
    earlier = [trial for trial in trials if trial.round == 1]
    best = max(earlier, key=lambda trial: trial.estimate)
    assert again[0].assignment == best.assignment
    assert again[0].rows > best.rows  # its estimate rests on the rows of both rounds
    assert again[0] == next(trial for trial in trials if trial.round == 2)


def test_a_leader_that_is_measured_again_keeps_its_number_and_the_cost_of_all_its_rows() -> None:
    with baseline_of(minibatch_size=4, in_flight=1) as (run, baseline):
        state = searched(run, baseline)
        rows = state.trial_rows[:2]
        scores = {case.id: 1.0 for case in cases_of(baseline.study, rows)}
        dear = assessed(RULES, 1.0, number=3, rows=2, scores=scores, price=CaseCost(6_000.0, None))
        leader = search_round(knowing(state, [dear])).record.assessments[RULES]
    assert leader.rows > 2
    assert leader.number == 3
    assert 6_000 * 2 / leader.rows < leader.cost.tokens < 6_000 * 2 / leader.rows + 1_000


def test_the_committed_assignment_is_never_tried(played: Played) -> None:
    assert (0, 0, 0, 0) not in {trial.assignment for trial in trials_of(played)}


class Deaf(RandomSearcher):
    """Asks for the same three assignments again and again, whatever it is told."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.wanted = itertools.cycle(list(space)[:3])

    def ask(self) -> Assignment | None:
        return next(self.wanted)


def test_a_searcher_that_repeats_itself_has_nothing_evaluated_twice() -> None:
    played = play(HARD, services={"searcher": Deaf}, rounds=1, trials=9, max_demos=0, leaders=0)
    tried = [trial.assignment for trial in trials_of(played)]
    assert sorted(tried) == [(0, 0, 1, 0), (0, 0, 2, 0)]  # the third one is the committed one


def test_a_searcher_is_told_rows_by_what_they_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    class Listening(RandomSearcher):
        def tell(self, assignment: Assignment, score: float, weight: float) -> None:
            told.append(weight)
            super().tell(assignment, score, weight)

    monkeypatch.setattr(SearchState, "trusted_row_weight", 2.5)
    play(HARD, services={"searcher": Listening}, rounds=1, trials=8, minibatch_size=4, leaders=0)
    assert set(told) == {2.5 * 16, 2.5 * 4}


def test_an_estimate_is_the_baseline_plus_the_lift_on_common_rows() -> None:
    """Easy rows must not look like a good candidate: the fixed model scores the same on all."""

    def fixed(request: Request) -> str:
        if request.model == MODEL and module_of(request) == "sort":
            return "red" if int(own_row(request)[1:]) % 3 else "blue"
        return answer(request)

    played = play(client=WorldClient(fixed))
    before = played.result.baseline.scores()
    validation = [before[f"test_colour[r{n:03}]"] for n in range(12, 28)]
    for trial in trials_of(played):
        assert trial.estimate == trial.best == pytest.approx(sum(validation) / 16)


def test_best_is_the_estimate_of_the_program_believed_best(played: Played) -> None:
    before = played.result.baseline.scores()
    known = {(0, 0, 0, 0): sum(before[f"test_hard[r{n:03}]"] for n in range(12, 28)) / 16}
    for trial in trials_of(played):
        assert trial.estimate is not None
        known[trial.assignment] = trial.estimate
        assert trial.best in [pytest.approx(value) for value in known.values()]
    full = [trial.estimate for trial in trials_of(played) if trial.kind == "full"]
    assert trials_of(played)[-1].best == pytest.approx(max(full))


def known_of(number: int, estimate: float, *, full: bool = True) -> Assessment:
    return assessed((number,), estimate, number=number, full=full)


def test_the_incumbent_is_the_best_of_full_evaluations_and_of_equals_the_earliest() -> None:
    known = [
        known_of(-1, 0.5),
        known_of(0, 0.9, full=False),
        known_of(1, 0.7),
        known_of(2, 0.7),
    ]
    assert Record({item.assignment: item for item in known}).best.number == 1
    assert Record({item.assignment: item for item in known[:2]}).best.number == -1
    ties = [known_of(3, 0.5), known_of(-1, 0.5)]
    assert Record({item.assignment: item for item in ties}).best.number == -1


def spoiling(request: Request) -> str:
    """Every other proposal spoils the second module: its trials fall behind."""
    if request.model == PROPOSER and module_of(request) == "sort" and way_of(request) % 2:
        return "Choose the colour and spoil it."
    return answer(request)


LONG = make_study(make_rows(12, 60, 14), {"test_hard": metric_hard})


def play_long(
    delays: int | None = None, services: Mapping[str, Any] | None = None, **settings: Any
) -> Played:
    sizes = {"trials": 12, "minibatch_size": 30, "max_demos": 1, "candidates": 3}
    return play(LONG, WorldClient(spoiling, delays=delays), services, **(sizes | settings))


@pytest.fixture(scope="module")
def long() -> Played:
    return play_long()


@pytest.mark.parametrize(("delays", "concurrency"), [(1, 4), (2, 16)])
def test_trials_are_the_same_whatever_order_calls_end_in(
    long: Played, delays: int, concurrency: int
) -> None:
    other = play_long(delays, concurrency=concurrency)
    assert other.events == long.events
    assert other.client.digests == long.client.digests
