"""The runs that demos and proposals are drawn from: training rows and further attempts."""

from collections.abc import Sequence
from typing import Any

import pytest
from made_runs import BASE, WINS, searched
from optimizer_world import baseline_of, make_study, note, sort
from world_model import MODEL, WorldClient, own_row

from pytest_mipro.optimizer.rounds.bootstrap import start_attempts, training_runs
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.study.case import CaseRun

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path


# Training rows.


def rows_of(runs: Sequence[CaseRun]) -> set[str]:
    return {run.case.row for run in runs}


def test_the_committed_prompts_ran_on_all_training_rows_already() -> None:
    client = WorldClient()
    with baseline_of(client=client, training_rows=4) as (run, baseline):
        before = len(client.requests)
        runs = training_runs(searched(run, baseline)) or []
        assert rows_of(runs) == set(baseline.split.train)
        assert runs[0] in baseline.evaluation.runs
        assert len(client.requests) == before


def test_another_incumbent_shows_a_sample_of_the_training_rows_another_one_each_round() -> None:
    with baseline_of(training_rows=9) as (run, baseline):
        states = [searched(run, baseline, *WINS, number=number) for number in (1, 2)]
        one, two = (rows_of(training_runs(state) or []) for state in states)
        assert len(one) == len(two) == 9
        assert one != two
        assert one | two <= set(baseline.split.train)


def test_an_incumbent_that_the_budget_does_not_hold_shows_none() -> None:
    def runs(limit: int) -> object:
        with baseline_of(max_calls=limit, training_rows=8) as (run, baseline):
            return training_runs(searched(run, baseline, *WINS))

    # 84 calls of the baseline, 32 kept for a full evaluation, 16 of 8 rows
    assert runs(84 + 32 + 16)
    assert runs(84 + 32 + 15) is None


# Further attempts.


def failing(baseline: Baseline) -> list[Any]:
    runs = baseline.evaluation.runs
    train = set(baseline.split.train)
    return [run.case for run in runs if run.outcome.score == 0.0 and run.case.row in train]


def attempted(client: WorldClient, number: int = 2, **settings: Any) -> list[CaseRun]:
    """Attempt the failing training cases; the client forgets what was asked before."""
    with baseline_of(client=client, **settings) as (run, baseline):
        del client.requests[:]
        state = searched(run, baseline, number=number)
        program = state.candidates.program(BASE)
        pending = start_attempts(state, program, failing(baseline))
        return list(pending.result().runs) if pending else []


def test_attempts_are_hot_and_no_sample_of_a_measurement() -> None:
    client = WorldClient()
    made = attempted(client)
    assert len(made) > 3
    assert {own_row(request) for request in client.requests} == rows_of(made)
    for request in client.requests:
        assert request.model == MODEL
        assert request.parameters["temperature"] == 1.0
        assert request.sample == 1002
    other = WorldClient()
    attempted(other, 3)
    assert not other.digests & client.digests


def test_a_teacher_attempts_in_place_of_the_modules_models() -> None:
    client = WorldClient()
    made = attempted(client, teacher_model="fake/teacher")
    assert {request.model for request in client.requests} == {"fake/teacher"}
    assert {call.model for run in made for call in run.calls} == {"fake/teacher"}


@pytest.mark.parametrize("most", [0, 1, 3])
def test_attempts_are_bounded(most: int) -> None:
    client = WorldClient()
    assert len(attempted(client, attempts=most)) == most
    assert len({own_row(request) for request in client.requests}) == most


def test_a_case_of_several_samples_is_attempted_once() -> None:
    study = make_study(specs={"test_colour": {"repeats": 3}})
    client = WorldClient()
    with baseline_of(study, client) as (run, baseline):
        twice = failing(baseline)
        state = searched(run, baseline)
        pending = start_attempts(state, state.candidates.program(BASE), twice)
        assert pending is not None
        made = pending.result().runs
        assert len(twice) > len(made) == len({case.id for case in twice})


def test_attempts_that_the_budget_does_not_hold_are_not_made() -> None:
    client = WorldClient()
    assert attempted(client, max_calls=84 + 32 + 11) == []
    assert client.requests == []
    with baseline_of(client=client) as (run, baseline):
        assert start_attempts(searched(run, baseline), {}, ()) is None
