"""No leaks: which rows the proposer, the demos, the search and the final pass may meet."""

from dataclasses import replace as changed

import pytest
from optimizer_world import TWO_TESTS, Played, make_rows, make_study, play
from world_model import MODEL, PROPOSER, WorldClient, markers, module_of, own_row

from pytest_mipro.optimizer.run.events import (
    StageStarted,
)
from pytest_mipro.runtime.calls.context import CallContext, use


@pytest.fixture(scope="module")
def played() -> Played:
    rows = list(make_rows())
    rows[4] = changed(rows[4], demo=False)  # a training row that passes
    rows[5] = changed(rows[5], demo=False)
    return play(make_study(rows))


def test_the_proposer_sees_training_rows_alone(played: Played) -> None:
    requests = played.client.of(PROPOSER)
    shown = set().union(*(markers(*request.messages) for request in requests))
    train = set(played.result.split.train)
    assert shown == train - {"r004", "r005"}
    kinds = {module_of(request) for request in requests}
    assert kinds == {"", "note", "sort"}
    for kind in kinds:  # none of the kinds is without rows, so that each is tested
        assert any(markers(*request.messages) for request in requests if module_of(request) == kind)


def test_demos_are_no_holdout_rows_and_never_the_row_itself(played: Played) -> None:
    train = {*played.result.split.train, *played.result.split.validation}
    with_demos = 0
    for request in played.client.of(MODEL):
        demos = markers(*request.messages[:-1])
        assert demos <= train - {"r004", "r005"}
        assert own_row(request) not in demos
        with_demos += bool(demos)
    assert with_demos > 50
    own = {own_row(request) for request in played.client.of(MODEL) if request.messages[1:-1]}
    assert own & train  # rows that lend demos were measured under demos too
    for prompt in played.result.prompts.values():
        assert {demo.case for demo in prompt.demos} <= train - {"r004", "r005"}


def test_no_row_is_judged_by_the_demo_of_another_one_of_its_cluster() -> None:
    study = make_study(make_rows(8, 20, 14))
    number = {case.row: int(case.row[1:]) for case in study.cases}
    clusters = {row: f"pair {each // 2}" if each % 3 else "" for row, each in number.items()}
    cases = tuple(changed(case, cluster=clusters[case.row]) for case in study.cases)
    played = play(changed(study, cases=cases), rounds=1)
    judged = set(played.result.split.validation)
    shown = [(own_row(r), markers(*r.messages[:-1])) for r in played.client.of(MODEL)]
    mates = {
        (own, row) for own, rows in shown for row in rows if clusters[own] == clusters[row] != ""
    }
    assert not {own for own, _ in mates} & judged
    assert {row for own, rows in shown for row in rows if own in judged} & judged


def test_holdout_rows_meet_no_candidate_before_the_decision() -> None:
    client = WorldClient()
    stages: list[tuple[str, set[str]]] = []

    def emit(event: object) -> None:
        if isinstance(event, StageStarted):
            stages.append((event.stage, set()))
            del client.requests[:]
        if stages:
            stages[-1][1].update(own_row(r) for r in client.requests if r.model == MODEL)

    played = play(client=client, services={"emit": emit})
    holdout = set(played.result.split.holdout)
    assert len(holdout) == 14
    before = [rows for stage, rows in stages if stage in ("proposals", "search")]
    assert set().union(*before)
    assert not holdout & set().union(*before)
    assert dict(stages)["decision"] == holdout


def test_the_gate_finds_every_request_of_the_final_prompts_made() -> None:
    played = play(TWO_TESTS)
    assert played.result.prompts
    assert len(played.result.final.runs) == 42 * 3
    gate = WorldClient()
    for case in TWO_TESTS.cases:
        for sample in range(TWO_TESTS.tests[case.test].repeats):
            context = CallContext(gate, played.result.prompts, case.row, sample)
            with use(context):
                case.run()
    assert len(gate.digests) > 100
    assert gate.digests <= played.client.digests
