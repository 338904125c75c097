"""The budget of a whole study: never exceeded, refused in words, and kept for the decision."""

import re
from collections import Counter

import pytest
from optimizer_world import (
    WANDERING,
    Played,
    make_row,
    make_services,
    make_settings,
    make_study,
    play,
    play_wandering,
)
from world_model import WorldClient, wandering_client

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.rounds.rounds import search_rounds
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.run.events import StageProgress, StageStarted, TrialFinished
from pytest_mipro.optimizer.run.measure_baseline import measure_baseline
from pytest_mipro.optimizer.run.study_run import study_run
from pytest_mipro.optimizer.study.amount import NOTHING


@pytest.fixture(scope="module")
def ample() -> Played:
    return play()


def ending(limit: int, *, wandering: bool = False) -> str:
    """Play under a limit, check that it holds, and return how the study ended."""
    client = wandering_client() if wandering else WorldClient()
    playing = play_wandering if wandering else play
    try:
        played = playing(client=client, max_calls=limit)
    except BudgetError as error:
        refusal = str(error)
    else:
        return _ending(played, limit)
    assert len(client.digests) <= limit
    assert re.match(
        rf"the limit of {limit} calls? (ends|leaves) [^\n]*; "
        r"raise it( to \d+ or more, and to about \d+ for a first trial)?$",
        refusal,
    )
    return "refused"


def _ending(played: Played, limit: int) -> str:
    result, client = played.result, played.client
    assert len(client.digests) <= result.calls <= limit
    if not any(trial.dropped for trial in played.seen(TrialFinished)):
        assert len(client.digests) == result.calls
    if result.decision is not None:
        assert result.deciding_after is not None
        # In this world a finalist is always better, but one of few trials may not show it.
        assert bool(result.prompts) == result.decision.accepted == (result.final is not None)
        return "decided early" if result.ended else "decided"
    left = r"limit of \d+ calls leaves \d+ calls? beside \d+ calls kept for the decision, the next"
    assert re.search(rf"{left} .* needs about", result.ended)
    return "ended"


def test_no_limit_is_ever_exceeded_and_each_ends_in_its_own_way() -> None:
    limits = [0, 60, 120, *range(140, 400, 20), 1000]
    ways = Counter(ending(limit) for limit in limits)
    assert set(ways) == {"refused", "ended", "decided early", "decided"}


def test_nor_by_candidates_that_make_far_more_calls() -> None:
    ways = Counter(ending(limit, wandering=True) for limit in range(180, 520, 40))
    assert ways["decided"] + ways["decided early"] > 1


def test_too_few_calls_for_the_baseline_are_refused_in_words() -> None:
    client = WorldClient()
    with pytest.raises(BudgetError) as caught:
        play(client=client, max_calls=30)
    assert str(caught.value) == (
        "the limit of 30 calls ends within the baseline of 42 cases; raise it"
    )
    assert len(client.digests) == 30


def test_too_few_calls_for_the_decision_are_refused_before_the_search() -> None:
    client, events = WorldClient(), []
    with pytest.raises(BudgetError) as caught:
        play(client=client, max_calls=100, services={"emit": events.append})
    # 14 holdout and 12 training rows of 2 calls: a quarter more
    assert str(caught.value) == (
        "the limit of 100 calls leaves 16 calls, the decision with its final pass needs about 65 "
        "calls; raise it to 149 or more, and to about 181 for a first trial"
    )
    assert len(client.digests) == 84
    stages = [event.stage for event in events if isinstance(event, StageStarted)]
    assert stages == ["baseline"]


def test_what_the_refusal_says_is_enough() -> None:
    with pytest.raises(BudgetError, match=r"leaves 64 calls, .* raise it to 149 or more"):
        play(max_calls=148)
    assert play(max_calls=149).result.ended.startswith(
        "the search ended early: the limit of 149 calls leaves 0 calls beside 65 calls kept for "
    )
    assert play(max_calls=181).seen(TrialFinished)


def test_a_limit_that_is_not_reached_changes_nothing(ample: Played) -> None:
    limited = play(ample.study, max_calls=2000)
    assert limited.result.trials == ample.result.trials
    assert limited.result.prompts == ample.result.prompts
    assert limited.client.digests == ample.client.digests


def test_a_search_that_ends_early_ends_the_same_whatever_the_concurrency(ample: Played) -> None:
    first, other = (
        play(ample.study, WorldClient(delays=n), max_calls=230, concurrency=concurrency)
        for n, concurrency in enumerate((1, 16))
    )
    assert first.result.ended
    assert first.result == other.result
    assert first.events == other.events


def test_stages_tell_their_steps(ample: Played) -> None:
    started = ample.seen(StageStarted)
    assert [event.stage for event in started][:2] == ["baseline", "search"]
    assert [event.stage for event in started][-2:] == ["decision", "final pass"]
    totals = {event.stage: event.total for event in started}
    assert totals["baseline"] == totals["final pass"] == 42
    assert totals["decision"] == 14
    assert totals["search"] == ample.settings.trials
    for stage in ("baseline", "decision", "final pass"):
        done = [event.done for event in ample.seen(StageProgress) if event.stage == stage]
        assert done == list(range(1, totals[stage] + 1))


def test_what_the_search_waits_for_tells_its_steps_to_the_end(ample: Played) -> None:
    """Nothing that takes calls may look as if it stood still."""
    told = ample.seen(StageProgress)
    asked = [event.total for event in ample.seen(StageStarted) if event.stage == "proposals"]
    steps = [event.done for event in told if event.stage == "proposals"]
    assert steps == [step for total in asked for step in range(1, total + 1)]
    for stage in ("bootstrap", "leaders"):
        mine = [event for event in told if event.stage == stage]
        assert [event.done for event in mine[: mine[0].total]] == [*range(1, mine[0].total + 1)]
        assert mine[-1].done == mine[-1].total


def test_repeats_count_as_steps() -> None:
    study = make_study([make_row(n, None) for n in range(3)], specs={"test_colour": {"repeats": 4}})
    assert play(study).seen(StageStarted)[0].total == 12


@pytest.mark.parametrize("limit", [280, 330, 1000])
def test_after_the_search_only_what_is_held_back_stays_kept(limit: int) -> None:
    run = study_run(WANDERING, make_services(wandering_client()), make_settings(max_calls=limit))
    try:
        baseline = measure_baseline(run)
        hold_for_decision(run, baseline)
        search_rounds(run, baseline)
    finally:
        run.evaluator.close()
    assert run.ledger.used.calls > 84
    assert run.ledger.in_flight == NOTHING
    assert run.ledger.held.calls >= 65
    assert run.ledger.left().calls == limit - run.ledger.used.calls - run.ledger.held.calls >= 0


def test_a_small_budget_keeps_room_for_one_full_evaluation() -> None:
    played = play(max_calls=220)
    assert [trial.kind for trial in played.seen(TrialFinished)].count("full") == 1
    assert played.result.decision is not None
    assert played.result.ended


def test_the_reason_tells_a_search_that_never_came_to_a_full_evaluation() -> None:
    for limit in (150, 152, 155):
        assert re.fullmatch(
            rf"the search ended early: the limit of {limit} calls? leaves \d+ calls? beside "
            r"65 calls kept for the decision, the next trial with its leader needs about \d+ "
            r"calls, and no candidate was measured on all validation rows",
            play(max_calls=limit).result.reason,
        )
