"""Where a study stands, folded from its events."""

import pytest
from watched_study import PLAN, TRIALS, measured, stand

from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    StageProgress,
    StageStarted,
    TrialFinished,
)


def trial(number: int, kind: str = "minibatch") -> TrialFinished:
    return TrialFinished("s", number, 1, kind, (number, 0), 0.5, 16, 0.5, 48)


READY = CandidatesReady("s", 1, {}, {}, {}, {})


def test_a_stage_counts_its_steps():
    standing = stand(StageStarted("s", "baseline", 1_000))
    assert (standing.stage, standing.steps) == ("baseline", "0 of 1,000 case runs")
    assert stand(StageProgress("s", "decision", 7, 20)).steps == "7 of 20 case runs"
    assert stand(StageStarted("s", "decision", 0)).steps == ""


def test_proposals_are_counted_as_asked_and_the_search_goes_on_behind_them():
    search = StageStarted("s", "search", TRIALS)
    asking = StageStarted("s", "proposals", 8)
    assert stand(search, asking).steps == "8 requests at most, for round 1"
    assert stand(PLAN, search, asking, READY).steps == f"0 of {TRIALS} trials, round 1 of 3"
    assert stand(search, asking, READY, trial(1), asking).steps.endswith("for round 2")


def test_programs_are_counted_once_and_no_more_than_planned():
    search = StageStarted("s", "search", 2)
    again = TrialFinished("s", 2, 1, "full", (1, 0), 0.5, 16, 0.5, 48)
    assert stand(search, trial(1), again).done == 1
    assert stand(search, trial(1), trial(2), trial(3)).done == 2


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
    assert stand(*path[: 3 + TRIALS]).share == pytest.approx(0.7)
    assert shares[-1] == 1.0
