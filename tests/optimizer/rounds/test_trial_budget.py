"""What a round's trials cost, whom they race, and what their searcher is told."""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from made_runs import BASE, KEEPS, RULES, assessed, searched
from optimizer_world import baseline_of
from world_model import WorldClient

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.rounds.trials import Join, measure_leaders, search_round
from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.optimizer.search.candidates import Candidates, extended
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.study.amount import Amount, Limits, total
from pytest_mipro.runtime.settings import current_settings, replace_settings


class Listed(RandomSearcher):
    """Asks for what it is given, in this order, and notes what it is told."""

    def __init__(self, space: Space, seed: int, wanted: Iterable[Assignment]) -> None:
        super().__init__(space, seed)
        self.wanted = iter(wanted)
        self.told: list[tuple[Assignment, float, float]] = []

    def ask(self) -> Assignment | None:
        return next(self.wanted, None)

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        self.told.append((assignment, score, weight))


class Round:
    """One round of listed trials, one after the other, after KEEPS was measured fully."""

    def __init__(self, state: SearchState, events: list[Any], made: list[Listed]) -> None:
        self.state, self._events, self._made = state, events, made

    def play(self, join: Join = lambda state: state) -> list[TrialFinished]:
        self.state = search_round(self.state, join)
        return [event for event in self._events if isinstance(event, TrialFinished)]

    @property
    def told(self) -> list[tuple[Assignment, float, float]]:
        return self._made[0].told


SPOILT = (0, 0, 2, 0)


@contextmanager
def round_of(wanted: Sequence[Assignment], leads: float, **settings: Any) -> Iterator[Round]:
    events: list[Any] = []
    made: list[Listed] = []

    def searcher(space: Space, seed: int) -> Listed:
        made.append(Listed(space, seed, wanted))
        return made[-1]

    services = {"emit": events.append, "searcher": searcher}
    sizes = {"rounds": 1, "in_flight": 1} | settings
    with baseline_of(services=services, **sizes) as (run, baseline):
        state = searched(run, baseline, number=0)
        rows = dict.fromkeys(state.record.best.scores, leads)
        state = searched(run, baseline, (KEEPS, rows), number=0)
        note, sort = state.candidates.modules
        ways = ["Choose the colour and spoil it.", *(f"Choose, way {n}." for n in range(9))]
        modules = extended(note, ["Note it."], ()), extended(sort, ways, ())
        candidates = replace(state.candidates, modules=modules)
        yield Round(replace(state, candidates=candidates), events, made)


# The price.


@pytest.mark.parametrize(
    ("note", "share", "trials"),
    [
        (1, 0.5, 3),  # beside the leader, half of the calls are new: 8 rows cost 4
        (0, 0.5, 3),  # beside the committed program as well
        (2, 1.0, 2),  # beside neither
    ],
)
def test_a_trial_costs_the_calls_that_no_leader_made(note: int, share: float, trials: int) -> None:
    """A round of 2 trials has 16 rows, and one of 8 begins while as many are left."""
    wanted = [(note, 0, choice, 0) for choice in range(3, 10)]
    with round_of(wanted, 1.0, trials=2) as played:
        made = [(trial.assignment, trial.share) for trial in played.play()]
    assert made == [(assignment, share) for assignment in wanted[:trials]]


# What the searcher is told.


def test_the_searcher_is_told_the_rows_that_each_estimate_rests_on() -> None:
    with round_of([], 0.5, trials=1) as played:
        base = played.state.record.assessments[BASE].estimate
        record = played.state.record.with_assessment(assessed(RULES, 0.75, number=1, rows=5))
        played.state = replace(played.state, record=record.with_dropped(SPOILT))
        played.play()
        assert played.told[:4] == [
            (BASE, base, 16),
            (KEEPS, 0.5, 16),
            (RULES, 0.75, 5),
            (SPOILT, 0.0, 8),  # dropped: as bad as a minibatch can show
        ]


def test_a_leader_of_other_rows_is_measured_on_these_first_and_costs_no_trial() -> None:
    wanted = [(2, 0, choice, 0) for choice in range(3, 10)]
    with round_of(wanted, 0.0, trials=2) as played:
        before = played.state.record.best.scores
        lucky = assessed(
            RULES, 1.0, number=1, rows=3, scores=dict(itertools.islice(before.items(), 3))
        )
        played.state = replace(played.state, record=played.state.record.with_assessment(lucky))
        assert played.state.incumbent == RULES
        first, *others = played.play()
        assert (first.assignment, first.kind) == (RULES, "minibatch")
        known = played.state.record.assessments[RULES]
        assert known.rows == len(known.scores)
        assert 8 <= known.rows <= 11
        assert lucky.scores.items() <= known.scores.items()
        assert [trial.assignment for trial in others] == wanted[:2]


# Candidates to come.


@pytest.mark.parametrize(("in_flight", "begun"), [(1, 1), (2, 2), (6, 2)])
def test_the_first_trials_run_while_candidates_are_awaited(in_flight: int, begun: int) -> None:
    """Those of way 0 and 1 run on candidates that are there, the third is of one that came."""
    client = WorldClient()
    wanted = [(2, 0, 3, 0), (2, 0, 4, 0), (2, 0, 12, 0)]
    seen: list[int] = []

    def shown(way: str) -> bool:
        return any(way in request.messages[0].content for request in client.requests)

    def join(state: SearchState) -> SearchState:
        end = time.monotonic() + 10
        awaited = [f"Choose, way {way}." for way in range(begun)]
        while time.monotonic() < end and not all(map(shown, awaited)):
            time.sleep(0.001)
        seen.append(sum(shown(f"Choose, way {way}.") for way in range(3)))
        note, sort = state.candidates.modules
        modules = note, extended(sort, ["Choose, way 9."], ())
        return replace(state, candidates=replace(state.candidates, modules=modules))

    sizes = {"in_flight": in_flight, "trials": 3, "client": client}
    with round_of(wanted, 1.0, **sizes) as played:
        assert [trial.assignment for trial in played.play(join)] == wanted
    assert seen == [begun]


def test_a_round_whose_trials_do_not_fit_beside_what_is_asked_for_waits_for_it() -> None:
    with round_of([(2, 0, 3, 0)], 1.0, trials=1) as played:
        ledger = played.state.run.ledger
        ledger.limits = Limits(calls=ledger.spent.calls + 400)
        worst = Amount(399)  # beside it no trial fits
        assert ledger.begin(worst)

        def join(state: SearchState) -> SearchState:
            ledger.end(worst, Amount(1))
            return state

        assert [trial.assignment for trial in played.play(join)] == [(2, 0, 3, 0)]
        assert played.state.ended == ""


# What does not fit.


@pytest.fixture
def _output_limit() -> Iterator[None]:
    before = replace_settings(replace(current_settings(), max_output_tokens=20))
    yield
    replace_settings(before)


CHEAP, DEAR = (2, 0, 3, 0), (2, 0, 12, 0)


@contextmanager
def limited_round(wanted: Sequence[Assignment], **settings: Any) -> Iterator[Round]:
    """Yield a round of which the limit of tokens holds CHEAP, but not DEAR."""
    with round_of(wanted, 1.0, trials=2, max_tokens=10**9, **settings) as played:
        note, sort = played.state.candidates.modules
        long = "Choose, way 9, with care. " * 2_000
        modules = note, extended(sort, [long], ())
        played.state = replace(played.state, candidates=Candidates(modules))
        run, baseline = played.state.run, played.state.baseline
        program = played.state.candidates.program(CHEAP)
        full = baseline.expects(baseline.split.validation, program)
        needs = total([baseline.decision_needs(program), full.times(4), run.ledger.spent])
        run.ledger.limits = Limits(tokens=needs.tokens)
        yield played


@pytest.mark.usefixtures("_output_limit")
@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_trial_that_costs_too_much_makes_room_for_a_cheaper_one(in_flight: int) -> None:
    with limited_round([DEAR, CHEAP], in_flight=in_flight) as played:
        held = played.state.run.ledger.held
        trials = played.play()
        assert [(trial.assignment, trial.number) for trial in trials] == [(CHEAP, 1)]
        assert not any(told[0] == DEAR for told in played.told)
        assert "the next trial with its leader needs about" in played.state.ended
        # What never ran needs no decision.
        dear = played.state.candidates.program(DEAR)
        kept = played.state.run.ledger.held.tokens
        assert (held.tokens or 0) <= kept < played.state.baseline.decision_needs(dear).tokens


@pytest.mark.usefixtures("_output_limit")
def test_a_leader_that_costs_too_much_leaves_its_place_to_another() -> None:
    with limited_round([]) as played:
        record = played.state.record
        for number, assignment in enumerate((DEAR, CHEAP), 1):
            known = assessed(assignment, 0.99 - number / 100, number=number, rows=8)
            record = record.with_assessment(known)
        base = record.assessments[BASE]
        record = replace(
            record, assessments={**record.assessments, KEEPS: replace(base, assignment=KEEPS)}
        )
        played.state = replace(played.state, record=record)
        assert played.state.incumbent == DEAR
        after = measure_leaders(played.state)
        assert after.record.assessments[CHEAP].full
        assert not after.record.assessments[DEAR].full
        assert after.ended == ""
