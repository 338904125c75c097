"""The whole path of a study: one path a seed, whatever order calls end in, and its decision."""

import re
from dataclasses import dataclass, field
from dataclasses import replace as changed

import pytest
from concluded import below_threshold
from optimizer_world import (
    TWO_TESTS,
    Played,
    Row,
    make_row,
    make_rows,
    make_study,
    metric_colour,
    note,
    play,
    play_wandering,
    program,
    sort,
)
from world_model import (
    COLOURS,
    MODEL,
    WorldClient,
    answer,
    module_of,
    own_row,
    wandering_client,
    word_of,
)

from pytest_mipro.optimizer.run.events import (
    Decided,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.search.space import Assignment, Space
from pytest_mipro.optimizer.search.tpe import TPESearcher
from pytest_mipro.optimizer.statistics.decide import UNCONFIRMED
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.optimizer.study.settings import DEFAULT
from pytest_mipro.runtime.client.contract import Request


def tpe(space: Space, seed: int) -> TPESearcher:
    return TPESearcher(space, seed, startup=2)


# One path.


@pytest.mark.parametrize("searcher", [tpe, RandomSearcher])
def test_concurrency_and_latency_change_nothing(searcher: object) -> None:
    ways = [(1, None), (4, 1), (16, 2), (16, 3)]
    first, *others = [
        play(TWO_TESTS, WorldClient(delays=delays), {"searcher": searcher}, concurrency=concurrency)
        for concurrency, delays in ways
    ]
    assert first.result.deciding_after is not None
    for other in others:
        assert other.result == first.result
        assert other.events == first.events
        assert other.client.digests == first.client.digests


def test_a_dropped_candidate_changes_no_path() -> None:
    first, *others = [
        play_wandering(wandering_client(delays), concurrency=concurrency)
        for concurrency, delays in [(1, None), (4, 1), (16, 2)]
    ]
    assert any(trial.dropped for trial in first.seen(TrialFinished))
    for other in others:
        assert other.result == first.result
        assert other.events == first.events


def test_each_seed_is_a_path_of_its_own_and_zero_is_a_seed() -> None:
    def path(seed: int) -> list[Assignment]:
        played = play(TWO_TESTS, services={"searcher": tpe}, seed=seed)
        splits.append(played.result.split)
        return [played.client.digests, *(t.assignment for t in played.seen(TrialFinished))]

    splits: list[object] = []
    zero, again, one, two = path(0), path(0), path(1), path(2)
    assert zero == again
    assert zero != one != two != zero
    assert splits[0] == splits[2] == splits[3]  # the seed moves no row


@dataclass
class SpySearcher:
    """A random searcher that notes what is asked and told, in order."""

    inner: RandomSearcher
    log: list[tuple[str, Assignment]] = field(default_factory=list)

    def ask(self) -> Assignment | None:
        assignment = self.inner.ask()
        if assignment is not None:
            self.log.append(("ask", assignment))
        return assignment

    def tell(self, assignment: Assignment, score: float, weight: float) -> None:
        self.log.append(("tell", assignment))
        self.inner.tell(assignment, score, weight)


@pytest.mark.parametrize("in_flight", [1, 2, 5])
@pytest.mark.parametrize("minibatch_size", [6, 100])
def test_what_is_told_at_each_asking_depends_on_in_flight_alone(
    in_flight: int, minibatch_size: int
) -> None:
    spies: list[SpySearcher] = []

    def searcher(space: Space, seed: int) -> SpySearcher:
        spies.append(SpySearcher(RandomSearcher(space, seed)))
        return spies[-1]

    play(
        client=WorldClient(delays=7),
        services={"searcher": searcher},
        in_flight=in_flight,
        minibatch_size=minibatch_size,
        trials=9,
    )
    # A round has one searcher before its instructions come, and one that is told the same again.
    for before, after in zip(spies[::2], spies[1::2], strict=True):
        first = [kind for kind, _ in (*before.log, ("ask", ()))].index("ask")
        known = {assignment for _, assignment in before.log[:first]}  # the baseline, earlier rounds
        assert before.log[:first] == after.log[:first]
        log = before.log[first:] + after.log[first:]
        # The leader so far may be under way when the first one is asked.
        asked = [item for kind, item in log if kind == "tell" and item in known]
        assert len(asked) <= 1
        told: list[Assignment] = []
        for kind, assignment in log:
            if kind == "tell":
                told.append(assignment)
                continue
            assert assignment not in known
            if assignment in asked:  # of both: it is not tried twice
                continue
            # More are told where the budget of rows held no further trial for a while.
            assert told == asked[: len(told)]
            assert len(told) >= len(asked) - in_flight + 1
            asked.append(assignment)
        assert len(asked) > in_flight or len(spies) > 2
    assert sum(len(spy.log) for spy in spies) > 12


# What is decided.


@pytest.fixture(scope="module")
def played() -> Played:
    rows = list(make_rows())
    rows[4] = changed(rows[4], demo=False)  # a training row that passes
    rows[5] = changed(rows[5], demo=False)
    return play(make_study(rows))


def test_a_clear_lift_is_accepted_and_reported(played: Played) -> None:
    result = played.result
    assert result.decision.verdict == "accept"
    assert result.decision.bound > 0
    assert "14 holdout rows" in result.reason
    assert set(result.prompts) == {note.signature.prompt_path, sort.signature.prompt_path}
    assert result.prompts != result.committed
    assert result.after.objective > result.before.objective + 0.3
    assert result.deciding_before.rows == result.deciding_after.rows == 14
    assert result.deciding_after.objective == pytest.approx(
        result.deciding_before.objective + result.decision.lift.mean
    )
    assert result.models == dict.fromkeys(result.prompts, MODEL)
    assert result.finalist
    assert result.ended == ""
    assert played.events[-1] == Decided(result.study, result.decision, result.reason)


def test_the_result_counts_each_request_of_the_run_once(played: Played) -> None:
    assert len(played.client.requests) > played.result.calls == len(played.client.digests)
    assert played.result.asked == len(played.client.requests)


def constant(request: Request) -> str:
    """A model that no prompt changes."""
    return "red" if request.model == MODEL and module_of(request) == "sort" else answer(request)


def test_nothing_better_writes_nothing() -> None:
    played = play(client=WorldClient(constant))
    result = played.result
    assert played.seen(TrialFinished)
    assert result.prompts == {}
    assert result.decision is None
    assert re.fullmatch(
        r"no candidate beat the committed prompts on validation rows: of \d+ programs, made of "
        r"\d+ new instructions? and \d+ demo sets?( of (\d+ to )?\d+ demos?)?, the best is "
        r"believed to score 0\.\d+, the committed one 0\.\d+ \(measured: 0\.\d+ on 16 rows\); .+",
        result.reason,
    )
    assert (result.finalist, result.holdout_uses, result.final, result.after) == ("", 0, None, None)
    assert {event.stage for event in played.seen(StageStarted)} == {
        "baseline",
        "proposals",
        "search",
    }


def test_better_on_validation_alone_is_rejected_on_the_holdout() -> None:
    def overfitted(request: Request) -> str:
        """Better only on rows of the search."""
        if request.model == MODEL and own_row(request) >= "r028":
            return constant(request)
        return answer(request)

    played = play(client=WorldClient(overfitted))
    result = played.result
    assert result.decision.verdict == "reject"
    assert result.prompts == {}
    assert result.final is None
    assert "final pass" not in {event.stage for event in played.seen(StageStarted)}
    assert result.deciding_after.objective == result.deciding_before.objective


def test_without_holdout_the_decision_is_not_independent() -> None:
    played = play(make_study(make_rows(holdout=6)))
    result = played.result
    assert result.split.holdout == ()
    assert result.decision.verdict == "unconfirmed"
    assert UNCONFIRMED in result.reason
    assert f"(the best of {result.trials} tried)" in result.reason
    assert result.prompts
    assert result.deciding_after.rows == 22


def test_a_newly_failed_threshold_rejects() -> None:
    def test_short(row: Row) -> Outcome:
        program(row.text)
        return Outcome(1.0 if len(sort.prompt.instruction) < 25 else 0.9)

    study = make_study(
        make_rows(holdout=40),
        tests={"test_colour": metric_colour, "test_short": test_short},
        specs={"test_short": {"threshold": 0.95}, "test_colour": {"threshold": 0.6}},
    )
    services = {"failing_tests": below_threshold(study)}
    result = play(study, services=services, max_demos=0).result
    assert result.before.tests["test_short"] == 1.0
    assert result.before.tests["test_colour"] < 0.6 < result.after.tests["test_colour"]
    assert result.after.tests["test_short"] < 0.95
    assert result.decision.bound > 0
    assert result.decision.verdict == "reject"
    assert result.reason.startswith("fails the gate of test_short, which the committed")
    assert result.prompts == {}


def test_each_distinct_finalist_is_one_holdout_use() -> None:
    first = play().result
    assert first.holdout_uses == 1
    assert "96 % lower bound" in first.reason
    again = play(services={"finalists_shown": (first.finalist,)}).result
    assert again.holdout_uses == 1
    other = play(services={"finalists_shown": ("another finalist",)}).result
    assert other.holdout_uses == 2
    assert "99.5 % lower bound" in other.reason
    assert "(look 2 at this holdout)" in other.reason


# The rows that decide.


def shown_how(request: Request) -> str:
    """Reply as ever, but choose the right colour where demos show how."""
    if module_of(request) == "sort" and len(request.messages) > 2:
        return COLOURS.get(word_of(request.messages[-1].content), "red")
    return answer(request)


def test_training_rows_decide_beside_the_holdout_where_only_demos_are_new() -> None:
    study = make_study([make_row(number, None) for number in range(60)])
    kept = {"max_demos": None, "parts": DEFAULT - {"instructions"}}
    result = play(study, WorldClient(shown_how), **kept).result
    assert result.decision.verdict == "accept"
    train, holdout = len(result.split.train), len(result.split.holdout)
    assert f"on {holdout} holdout and {train} training rows and +" in result.reason
    assert result.decided_on == "holdout and training"
    assert result.deciding_before.rows == result.deciding_after.rows == holdout + train
    assert {run.case.row for run in result.decided.runs} == {
        *result.split.train,
        *result.split.holdout,
    }


def test_the_holdout_decides_alone_where_instructions_are_new() -> None:
    study = make_study([make_row(number, None) for number in range(60)])
    result = play(study).result
    assert result.decision.verdict == "accept"
    assert result.decided_on == "holdout"
    assert result.deciding_before.rows == len(result.split.holdout)
