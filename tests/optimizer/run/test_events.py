"""Events: what a study tells, in which order, and that nobody can change it."""

import dataclasses
import typing

import pytest
from optimizer_world import Played, make_study, metric_colour, play

from pytest_mipro.optimizer.run import events
from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    Decided,
    LeaderKnown,
    LeadTaken,
    Plan,
    ProcessLost,
    StageProgress,
    StageStarted,
    TrialFinished,
)

OF_SHARED_STUDIES = {LeadTaken, ProcessLost}  # tests/optimizer/test_sharing.py


@pytest.fixture(scope="module")
def played() -> Played:
    return play(trials=9)


def test_a_study_tells_its_story_in_order(played: Played) -> None:
    story = [
        event.stage if isinstance(event, StageStarted) else type(event).__name__
        for event in played.events
        if not isinstance(event, StageProgress | LeaderKnown)
    ]
    told = [step for step, before in zip(story, [None, *story], strict=False) if step != before]
    a_round = ["proposals", "ProposalsMade", "CandidatesReady", "TrialFinished", "LessonsLearnt"]
    assert told == [
        "baseline",
        "BaselineMeasured",
        "Plan",
        "search",
        *a_round,
        *a_round,
        "TrialFinished",
        "FinalistChosen",
        "decision",
        "final pass",
        "Decided",
    ]


def test_every_event_is_one_of_the_contract_and_names_its_study(played: Played) -> None:
    kinds = typing.get_args(events.Event)
    assert {type(event) for event in played.events} == set(kinds) - OF_SHARED_STUDIES
    assert {event.study for event in played.events} == {played.study.name}


def test_no_listener_can_change_an_event(played: Played) -> None:
    shared = [LeadTaken("study", "me", mine=True), ProcessLost("study", "other")]
    for kind in typing.get_args(events.Event):
        event = next(item for item in (*played.events, *shared) if isinstance(item, kind))
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.study = "another"


def test_baseline_and_result_tell_the_same(played: Played) -> None:
    (baseline,) = played.seen(BaselineMeasured)
    assert baseline.measured == played.result.before
    assert baseline.removed == ()


def test_the_leader_is_told_with_each_trial(played: Played) -> None:
    leaders, trials = played.seen(LeaderKnown), played.seen(TrialFinished)
    assert [item.best for item in leaders] == [item.best for item in trials]
    (baseline,) = played.seen(BaselineMeasured)
    full = [leader for leader, it in zip(leaders, trials, strict=True) if it.kind == "full"][-1]
    assert full.lift.low <= full.lift.mean <= full.lift.high
    assert baseline.measured.objective < full.best


def test_candidates_grow_from_round_to_round(played: Played) -> None:
    first, second = played.seen(CandidatesReady)
    assert (first.round, second.round) == (1, 2)
    names = set(played.seen(Plan)[0].modules)
    for counts in ("instructions", "demo_sets", "pool"):
        before, after = getattr(first, counts), getattr(second, counts)
        assert set(before) == set(after) == names
        assert all(after[name] >= before[name] for name in names)
    assert second.demo_sets != first.demo_sets
    assert second.pool != first.pool  # the incumbent passes more training rows
    for trial in played.seen(TrialFinished):
        ready = (first, second)[trial.round - 1]
        sizes = [
            size
            for name in ready.instructions
            for size in (ready.instructions[name], ready.demo_sets[name])
        ]
        assert all(choice < size for choice, size in zip(trial.assignment, sizes, strict=True))


def test_the_calls_of_the_parts_are_the_calls_of_the_whole(played: Played) -> None:
    trials = sum(trial.calls for trial in played.seen(TrialFinished))
    ends = played.result.deciding_after
    assert ends is not None
    assert 84 + trials < played.result.calls


def test_a_decision_is_told_with_its_reason(played: Played) -> None:
    (decided,) = played.seen(Decided)
    assert decided.decision is played.result.decision
    assert decided.reason == decided.decision.reason


def test_an_error_of_the_listener_stops_the_study() -> None:
    def emit(event: object) -> None:
        if getattr(event, "kind", "") == "minibatch":
            raise LookupError("a call without a context was seen")

    with pytest.raises(LookupError):
        play(make_study(tests={"test": metric_colour}), services={"emit": emit})
