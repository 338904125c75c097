"""The runs that demos and proposals are drawn from: parents, training rows, further attempts."""

from collections.abc import Sequence
from typing import Any

import pytest
from made_runs import BASE, KEEPS, RULES, WINS, searched
from optimizer_world import laid, make_study, note, sort
from world_model import MODEL, WorldClient, own_row

from pytest_mipro.optimizer.rounds.teaching import parents_of, start_attempts, training_runs
from pytest_mipro.optimizer.run.baseline import Ground
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.parts import DEFAULT
from pytest_mipro.optimizer.study.runs import CaseRun

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path


# Parents.


def test_the_first_round_starts_from_the_incumbent_alone() -> None:
    with laid() as (run, ground):
        known = searched(ground, *WINS)
        assert parents_of(run, known, 0) == [known.best]
        assert known.best == RULES


def test_later_rounds_start_from_other_winners_too() -> None:
    with laid(parents=2, parts=DEFAULT | {"parents"}) as (run, ground):
        known = searched(ground, *WINS)
        drawn = [tuple(parents_of(run, known, number)) for number in range(1, 9)]
        assert {parents[0] for parents in drawn} == {RULES}
        assert {parents[1:] for parents in drawn} == {(KEEPS,)}  # the base wins nothing of its own
        assert drawn == [tuple(parents_of(run, known, number)) for number in range(1, 9)]


@pytest.mark.parametrize("change", [{"parts": DEFAULT | {"parents"}, "parents": 1}, {}])
def test_without_other_parents_the_incumbent_is_alone(change: dict[str, Any]) -> None:
    with laid(**change) as (run, ground):
        assert parents_of(run, searched(ground, *WINS), 3) == [RULES]


# Training rows.


def rows_of(runs: Sequence[CaseRun]) -> set[str]:
    return {run.case.row for run in runs}


def test_the_committed_prompts_ran_on_all_training_rows_already() -> None:
    client = WorldClient()
    with laid(client=client, training_rows=4) as (run, ground):
        before = len(client.requests)
        (parent,) = training_runs(run, ground, searched(ground), [BASE], 1) or []
        assert rows_of(parent.runs) == set(ground.split.train)
        assert parent.runs[0] in ground.baseline.evaluation.runs
        assert len(client.requests) == before


def test_parents_share_a_sample_of_the_training_rows_another_one_each_round() -> None:
    with laid(training_rows=9) as (run, ground):
        known = searched(ground, *WINS)
        made = {
            number: training_runs(run, ground, known, [RULES, KEEPS], number) or []
            for number in (1, 2)
        }
        for one, two in made.values():
            assert (one.assignment, two.assignment) == (RULES, KEEPS)
            assert rows_of(one.runs) == rows_of(two.runs) < set(ground.split.train)
            assert len(rows_of(one.runs)) == 4
        assert rows_of(made[1][0].runs) != rows_of(made[2][0].runs)
        (alone,) = training_runs(run, ground, known, [RULES], 1) or []
        assert len(rows_of(alone.runs)) == 9


def test_parents_that_the_budget_does_not_hold_are_left_out() -> None:
    def parents(limit: int) -> list[Assignment] | None:
        with laid(max_calls=limit, training_rows=8) as (run, ground):
            known = searched(ground, *WINS)
            made = training_runs(run, ground, known, [RULES, KEEPS], 1)
            return None if made is None else [parent.assignment for parent in made]

    # 84 calls of the baseline, 58 kept for a full evaluation, 22 for 4 rows of a parent
    assert parents(84 + 58 + 44) == [RULES, KEEPS]
    assert parents(84 + 58 + 43) == [RULES]
    assert parents(84 + 58 + 22) == [RULES]
    assert parents(84 + 58 + 21) is None


# Further attempts.


def failing(ground: Ground) -> list[Any]:
    runs = ground.baseline.evaluation.runs
    train = set(ground.split.train)
    return [run.case for run in runs if run.outcome.score == 0.0 and run.case.row in train]


def attempted(client: WorldClient, number: int = 2, **settings: Any) -> list[CaseRun]:
    """Attempt the failing training cases; the client forgets what was asked before."""
    with laid(client=client, **settings) as (run, ground):
        del client.requests[:]
        program = searched(ground).program
        pending = start_attempts(run, ground, program, failing(ground), number)
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
    with laid(study, client) as (run, ground):
        twice = failing(ground)
        pending = start_attempts(run, ground, searched(ground).program, twice, 0)
        assert pending is not None
        made = pending.result().runs
        assert len(twice) > len(made) == len({case.id for case in twice})


def test_attempts_that_the_budget_does_not_hold_are_not_made() -> None:
    client = WorldClient()
    assert attempted(client, max_calls=84 + 58 + 20) == []
    assert client.requests == []
    with laid(client=client) as (run, ground):
        assert start_attempts(run, ground, searched(ground).program, (), 0) is None
