"""The runs that demos and proposals are drawn from: parents, training rows, further attempts."""

from collections.abc import Sequence
from typing import Any

import pytest
from made_runs import BASE, KEEPS, RULES, WINS, searched
from optimizer_world import baseline_of, make_study, note, sort
from world_model import MODEL, WorldClient, own_row

from pytest_mipro.optimizer.rounds.bootstrap import parents_of, start_attempts, training_runs
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.search.searcher import Assignment
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.optimizer.study.settings import DEFAULT

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path


# Parents.


def test_the_first_round_starts_from_the_incumbent_alone() -> None:
    with baseline_of() as (run, baseline):
        known = searched(run, baseline, *WINS, number=0)
        assert parents_of(known) == [known.best]
        assert known.best == RULES


def test_later_rounds_start_from_other_winners_too() -> None:
    with baseline_of(parents=2, parts=DEFAULT | {"parents"}) as (run, baseline):
        known = [searched(run, baseline, *WINS, number=number) for number in range(1, 9)]
        drawn = [tuple(parents_of(state)) for state in known]
        assert {parents[0] for parents in drawn} == {RULES}
        assert {parents[1:] for parents in drawn} == {(KEEPS,)}  # the base wins nothing of its own
        assert drawn == [tuple(parents_of(state)) for state in known]


@pytest.mark.parametrize("change", [{"parts": DEFAULT | {"parents"}, "parents": 1}, {}])
def test_without_other_parents_the_incumbent_is_alone(change: dict[str, Any]) -> None:
    with baseline_of(**change) as (run, baseline):
        assert parents_of(searched(run, baseline, *WINS, number=3)) == [RULES]


# Training rows.


def rows_of(runs: Sequence[CaseRun]) -> set[str]:
    return {run.case.row for run in runs}


def test_the_committed_prompts_ran_on_all_training_rows_already() -> None:
    client = WorldClient()
    with baseline_of(client=client, training_rows=4) as (run, baseline):
        before = len(client.requests)
        (parent,) = training_runs(searched(run, baseline), [BASE]) or []
        assert rows_of(parent.runs) == set(baseline.split.train)
        assert parent.runs[0] in baseline.evaluation.runs
        assert len(client.requests) == before


def test_parents_share_a_sample_of_the_training_rows_another_one_each_round() -> None:
    with baseline_of(training_rows=9) as (run, baseline):
        known = {number: searched(run, baseline, *WINS, number=number) for number in (1, 2)}
        made = {number: training_runs(known[number], [RULES, KEEPS]) or [] for number in (1, 2)}
        for one, two in made.values():
            assert (one.assignment, two.assignment) == (RULES, KEEPS)
            assert rows_of(one.runs) == rows_of(two.runs) < set(baseline.split.train)
            assert len(rows_of(one.runs)) == 4
        assert rows_of(made[1][0].runs) != rows_of(made[2][0].runs)
        (alone,) = training_runs(known[1], [RULES]) or []
        assert len(rows_of(alone.runs)) == 9


def test_parents_that_the_budget_does_not_hold_are_left_out() -> None:
    def parents(limit: int) -> list[Assignment] | None:
        with baseline_of(max_calls=limit, training_rows=8) as (run, baseline):
            made = training_runs(searched(run, baseline, *WINS), [RULES, KEEPS])
            return None if made is None else [parent.assignment for parent in made]

    # 84 calls of the baseline, 32 kept for a full evaluation, 8 expected of 4 rows of a parent; the
    # first one makes 4 of them, as it shares a module's calls with the baseline
    assert parents(84 + 32 + 12) == [RULES, KEEPS]
    assert parents(84 + 32 + 11) == [RULES]
    assert parents(84 + 32 + 8) == [RULES]
    assert parents(84 + 32 + 7) is None


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
