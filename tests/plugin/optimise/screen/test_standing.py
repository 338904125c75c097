"""Where a study stands, folded from its events."""

from dataclasses import replace

import pytest
from watched_study import PLAN, TRIALS, measured, stand

from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    StageProgress,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.study.split import Split


def trial(number: int, kind: str = "minibatch", share: float = 1.0) -> TrialFinished:
    return TrialFinished("s", number, 1, kind, (number, 0), 0.5, 16, 0.5, 48, share=share)


READY = CandidatesReady("s", 1, {}, {}, {}, {})


def test_a_stage_counts_its_steps():
    standing = stand(StageStarted("s", "baseline", 1_000))
    assert (standing.stage, standing.steps) == ("baseline", "0 of 1,000 case runs")
    assert stand(StageProgress("s", "decision", 7, 20)).steps == "7 of 20 case runs"
    assert stand(StageStarted("s", "decision", 0)).steps == ""


def test_proposals_are_counted_and_the_search_goes_on_behind_them():
    search = StageStarted("s", "search", TRIALS)
    asking = StageStarted("s", "proposals", 8)
    assert stand(search, asking).steps == "0 of 8 requests, for round 1"
    told = StageProgress("s", "proposals", 3, 8)
    assert stand(search, asking, told).steps == "3 of 8 requests, for round 1"
    assert stand(PLAN, search, asking, READY).steps == "0 trials, 0 % of the search, round 1 of 3"
    assert stand(search, asking, READY, trial(1), asking).steps.endswith("for round 2")


def test_a_trial_counts_by_the_calls_that_it_made_anew():
    search = StageStarted("s", "search", 2)
    late = stand(search, trial(1), trial(2, share=0.25), trial(1, "full", share=0.0))
    assert late.done == 1.25
    assert late.steps == "3 trials, 62 % of the search"
    assert stand(search, trial(1), trial(2), trial(3)).done == 2


def test_a_round_ends_with_less_than_a_trial_left_and_the_bar_goes_on():
    search = StageStarted("s", "search", TRIALS)
    second = replace(READY, round=2)
    assert stand(PLAN, search, READY, trial(1), second).done == pytest.approx(TRIALS / 3)
    leaders = stand(PLAN, search, READY, trial(1), StageProgress("s", "leaders", 1, 20))
    assert leaders.after(trial(2, "full", share=0.0)).done == TRIALS


def test_what_runs_beside_the_trials_has_its_own_steps():
    search, leaders = StageStarted("s", "search", 1), StageProgress("s", "leaders", 7, 20)
    standing = stand(search, READY, trial(1), leaders)
    assert standing.stage == "leaders"
    assert standing.steps == "7 of 20 case runs"
    assert stand(search, READY, trial(1), leaders, trial(2, "full")).stage == "search"
    assert stand(search, StageProgress("s", "bootstrap", 1, 5)).steps == "1 of 5 case runs"


def test_leaders_are_a_part_of_the_search():
    rows = tuple(map(str, range(TRIALS * 16)))  # as many as those of all trials
    planned = replace(PLAN, split=Split((), rows, ()))
    search = StageStarted("s", "search", TRIALS)
    tried = [search, *(trial(number) for number in range(TRIALS))]
    assert stand(planned, *tried).share == pytest.approx(0.45)
    half = StageProgress("s", "leaders", 32, 64)
    assert stand(planned, *tried, half).share == pytest.approx(0.575)
    ended = StageProgress("s", "leaders", 64, 64)
    assert stand(planned, *tried, ended, trial(9, "full")).share == pytest.approx(0.7)


def test_the_share_grows_with_what_is_behind_the_study():
    search = StageStarted("s", "search", TRIALS)
    path = [
        BaselineMeasured("s", measured(0.5), ()),
        PLAN,
        search,
        *(trial(number) for number in range(1, TRIALS + 1)),
        StageStarted("s", "decision", 10),
        StageProgress("s", "decision", 5, 10),
        StageStarted("s", "final pass", 10),
        StageProgress("s", "final pass", 10, 10),
    ]
    shares = [stand(*path[: end + 1]).share for end in range(len(path))]
    assert shares[0] is None
    assert shares[1:] == sorted(shares[1:])
    assert shares[1] == pytest.approx(0.1)
    assert stand(*path[: 5 + TRIALS]).share == pytest.approx(0.8)  # half of the decision
    assert stand(*path[: 6 + TRIALS]).share == pytest.approx(0.9)
    assert stand(*path[: 3 + TRIALS]).share == pytest.approx(0.7)
    assert shares[-1] == 1.0
