"""Trials: minibatches and full evaluations, what drops one, and which is the incumbent."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from made_runs import assessed
from optimizer_world import (
    HARD,
    Played,
    Row,
    baseline_of,
    make_rows,
    make_study,
    metric_colour,
    metric_hard,
    play,
    play_wandering,
    program,
    sort,
    without,
)
from world_model import MODEL, PROPOSER, WorldClient, answer, module_of, own_row, way_of

from pytest_mipro.optimizer.run.events import (
    LeaderKnown,
    StageProgress,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.search.assessments import Assessment, Record
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.runtime.client.contract import Request


@pytest.fixture(scope="module")
def played() -> Played:
    return play(HARD, minibatch_size=4, seed=2)


def trials_of(played: Played) -> list[TrialFinished]:
    return played.seen(TrialFinished)


def test_trials_are_told_in_order_and_numbered_from_one(played: Played) -> None:
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


def test_the_committed_assignment_is_never_tried(played: Played) -> None:
    assert (0, 0, 0, 0) not in {trial.assignment for trial in trials_of(played)}


def test_the_trials_of_a_round_share_their_rows_and_rounds_draw_others() -> None:
    rows: list[set[str]] = []
    client = WorldClient()

    def emit(event: object) -> None:
        if isinstance(event, TrialFinished):
            if event.kind == "minibatch":
                rows.append({own_row(r) for r in client.requests if r.model == MODEL})
            del client.requests[:]
        elif isinstance(event, StageStarted):
            del client.requests[:]

    play(
        client=client,
        services={"emit": emit},
        in_flight=1,
        leaders=0,
        training_rows=0,
        minibatch_size=4,
    )
    assert [len(batch) for batch in rows[:3]] == [4] * 3
    assert rows[0] == rows[1] == rows[2]
    assert rows[3] < rows[4] == rows[5] != rows[0]  # the leader runs on what is new to it
    assert not rows[3] & rows[0]
    assert set().union(*rows) <= {f"r{n:03}" for n in range(12, 28)}
    assert len(set().union(*rows)) <= 8  # the others are kept for the leaders


def test_where_the_minibatch_holds_all_rows_each_trial_is_full() -> None:
    for size in (16, 17, 1000):
        trials = trials_of(play(minibatch_size=size))
        assert len(trials) >= 6
        assert {trial.kind for trial in trials} == {"full"}
        assert all(trial.rows == 16 for trial in trials)


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


def test_repeats_are_run_in_full_evaluations_alone() -> None:
    client = WorldClient()
    samples: list[tuple[str, set[int]]] = []

    def emit(event: object) -> None:
        if isinstance(event, TrialFinished):
            samples.append((event.kind, {r.sample for r in client.requests if r.model == MODEL}))
        if not isinstance(event, LeaderKnown | StageProgress):
            del client.requests[:]

    study = make_study(specs={"test_colour": {"repeats": 3}})
    play(study, client, {"emit": emit}, in_flight=1)
    assert {kind for kind, _ in samples} == {"minibatch", "full"}
    for kind, seen in samples:
        assert seen <= ({3} if kind == "minibatch" else {3, 4, 5})
    assert any(seen == {3, 4, 5} for kind, seen in samples if kind == "full")


def test_best_is_the_estimate_of_the_program_believed_best(played: Played) -> None:
    before = played.result.baseline.scores()
    known = {(0, 0, 0, 0): sum(before[f"test_hard[r{n:03}]"] for n in range(12, 28)) / 16}
    for trial in trials_of(played):
        assert trial.estimate is not None
        known[trial.assignment] = trial.estimate
        assert trial.best in [pytest.approx(value) for value in known.values()]
    full = [trial.estimate for trial in trials_of(played) if trial.kind == "full"]
    assert trials_of(played)[-1].best == pytest.approx(max(full))


# Dropped.


class Telling(RandomSearcher):
    """Notes what it is told."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.told: dict[Assignment, float] = {}

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        self.told[assignment] = score
        super().tell(assignment, score, weight)


def test_a_candidate_that_makes_far_more_calls_is_dropped_and_the_study_goes_on() -> None:
    spies: list[Telling] = []

    def searcher(space: Space, seed: int) -> Telling:
        spies.append(Telling(space, seed))
        return spies[-1]

    played = play_wandering(services={"searcher": searcher})
    trials = trials_of(played)
    dropped = [trial for trial in trials if trial.dropped]
    assert dropped
    assert len(dropped) < len(trials)
    wandering = {trial.assignment[0] for trial in dropped}
    assert wandering == {1}
    for trial in dropped:
        assert trial.estimate is None
        assert trial.dropped == f"more than the {trial.calls} calls reserved for it"
        # 8 rows of 2 calls: half as many more, and ten
        assert trial.calls == 34
        assert any(spy.told.get(trial.assignment) == 0.0 for spy in spies)
    assert played.result.prompts
    assert not any("wander" in prompt.instruction for prompt in played.result.prompts.values())


def test_the_calls_of_dropped_trials_are_counted() -> None:
    played = play_wandering()
    dropped = sum(trial.calls for trial in trials_of(played) if trial.dropped)
    assert dropped
    assert played.result.calls >= len(played.client.digests)
    assert played.result.calls > len(played.client.digests) - dropped


def test_modules_asked_several_times_with_other_parameters_are_not_over_budget() -> None:
    """Votes by temperature are calls of their own, in the baseline's count as in a trial's."""

    def voting(row: Row) -> Outcome:
        text = program(row.text)
        votes = [sort.using(seed=n)(note=row.text) for n in range(9)]
        return Outcome(float(max(votes, key=votes.count) == row.colour and bool(text)))

    played = play(make_study(tests={"test_colour": voting}))
    assert trials_of(played)
    assert not any(trial.dropped for trial in trials_of(played))


# The parts.


def test_worst_calls_are_half_as_many_more_and_ten() -> None:
    with baseline_of() as (_, baseline):
        assert baseline.worst([]).calls == 10
        assert baseline.worst(["r000", "r001", "r002", "r003"]).calls == 12 + 10


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


def test_every_test_of_the_study_is_in_each_minibatch() -> None:
    rows = make_rows()
    study = make_study(rows, {"test_colour": metric_colour, "test_rare": metric_colour})
    rare = {"r000", "r017", "r030"}
    cases = tuple(c for c in study.cases if c.test == "test_colour" or c.row in rare)
    study = replace(study, cases=cases)
    client = WorldClient()
    batches: list[set[str]] = []

    def emit(event: object) -> None:
        if isinstance(event, TrialFinished):
            batches.append({own_row(r) for r in client.requests if r.model == MODEL})
        if not isinstance(event, LeaderKnown | StageProgress):
            del client.requests[:]

    play(study, client, {"emit": emit}, minibatch_size=4, leaders=0, in_flight=1)
    assert len(batches) >= 6
    assert all("r017" in batch for batch in batches if len(batch) == 4)
    assert sum(len(batch) == 4 for batch in batches) >= 5  # the leader runs on what is new to it


def test_a_dropped_assignment_is_not_tried_again_in_a_later_round() -> None:
    played = play_wandering(rounds=3, trials=30, max_demos=0)
    dropped = [trial.assignment for trial in trials_of(played) if trial.dropped]
    assert dropped
    assert len(dropped) == len(set(dropped))


def test_trial_numbers_go_on_from_round_to_round() -> None:
    played = play_wandering(rounds=3, trials=30, max_demos=0, leaders=0)
    assert [trial.number for trial in trials_of(played)] == list(
        range(1, len(trials_of(played)) + 1)
    )


# Racing.


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


def test_a_full_trial_is_over_where_it_needs_more_calls_than_are_reserved() -> None:
    played = play_wandering(minibatch_size=100, parts=without("minibatches"), max_demos=0)
    dropped = [trial for trial in trials_of(played) if trial.dropped]
    assert dropped
    assert played.result.calls >= len(played.client.digests)


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
