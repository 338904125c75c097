"""Small, poor and broken worlds: a study ends in a result or in one clean error."""

import time
from dataclasses import replace as changed

import pytest
from optimizer_world import (
    Row,
    judge,
    make_row,
    make_services,
    make_settings,
    make_study,
    metric_colour,
    play,
)
from world_model import MODEL, PROPOSER, WorldClient, answer, inputs_of, last, module_of, own_row

from pytest_mipro.errors import (
    EndpointError,
    MissingKeyError,
    RefusalError,
    UnknownModelError,
)
from pytest_mipro.optimizer.measuring.expectations import MeasurementError
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    Decided,
    StageProgress,
    TrialFinished,
)
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.runtime.client.contract import Request


def test_one_row() -> None:
    played = play(make_study([make_row(2, None)]))
    assert played.result.split.train == played.result.split.validation == ("r002",)
    assert played.result.prompts == {}


def test_five_rows_and_two_candidates() -> None:
    played = play(make_study([make_row(n, None) for n in range(5)]), candidates=2)
    trials = played.seen(TrialFinished)
    assert trials
    assert all(trial.kind == "full" and trial.rows == 5 for trial in trials)
    assert played.result.split.shared


def test_without_new_candidates_there_is_nothing_to_try() -> None:
    played = play(candidates=0, rounds=1, max_demos=0)
    assert not played.seen(TrialFinished)
    assert not played.client.of(PROPOSER)
    assert played.result.prompts == {}


def test_no_more_trials_than_assignments() -> None:
    played = play(trials=50, candidates=1, max_demos=0, rounds=1)
    tried = [trial.assignment for trial in played.seen(TrialFinished) if trial.kind == "minibatch"]
    assert sorted(tried) == [(0, 0, 1, 0), (1, 0, 0, 0), (1, 0, 1, 0)]


def test_no_passing_case_lends_no_demos() -> None:
    def wrong(request: Request) -> str:
        if request.model == MODEL and module_of(request) == "sort":
            return "red" if "red" in request.messages[0].content.split("\n")[0] else "blue"
        return answer(request)

    apples = [make_row(6 * n, part) for n, part in enumerate(["train"] * 9 + ["validation"] * 18)]
    played = play(make_study(apples), WorldClient(wrong))
    ready = played.seen(CandidatesReady)[0]
    assert played.result.before.objective == 0.0
    assert set(ready.pool.values()) == {0}
    assert set(ready.demo_sets.values()) == {1}
    assert played.result.after.objective == 1.0  # instructions alone


def test_a_proposer_that_is_not_there_ends_in_one_clean_error() -> None:
    def absent(request: Request) -> str:
        if request.model == PROPOSER:
            raise MissingKeyError("no API key for fake/proposer: set FAKE_KEY")
        return answer(request)

    with pytest.raises(MissingKeyError, match="no API key for fake/proposer: set FAKE_KEY"):
        play(client=WorldClient(absent))


@pytest.mark.parametrize("kind", [MissingKeyError, UnknownModelError])
@pytest.mark.parametrize("named", [True, False])
def test_the_error_says_how_to_name_a_proposer_where_none_is_named(
    kind: type[MissingKeyError | UnknownModelError], named: bool
) -> None:
    """A pipeline's own client may call a model by a name that only its gateway knows."""

    def absent(request: Request) -> str:
        if not last(request).startswith("<"):
            raise kind("nobody serves it")
        return answer(request)

    models = {"proposer_models": ()} if not named else {}
    with pytest.raises(kind, match="nobody serves it") as raised:
        play(client=WorldClient(absent), **models)
    assert ("set another proposer model" in str(raised.value)) is not named


def test_the_task_model_proposes_where_no_proposer_is_named() -> None:
    def one_model(request: Request) -> str:
        proposing = not last(request).startswith("<")
        return answer(changed(request, model=PROPOSER) if proposing else request)

    played = play(client=WorldClient(one_model), proposer_models=())
    assert {request.model for request in played.client.requests} == {MODEL}
    assert played.result.prompts


def test_a_frozen_module_is_called_but_never_a_candidate() -> None:
    def test_judged(row: Row) -> Outcome:
        outcome = metric_colour(row)
        judge(f"[{row.id}] answer")
        return outcome

    def stubborn(request: Request) -> str:
        return "true" if inputs_of(request).startswith("<answer>") else answer(request)

    def model(request: Request) -> str:
        return answer(request) if request.model == PROPOSER else stubborn(request)

    played = play(make_study(tests={"test_judged": test_judged}), WorldClient(model))
    assert judge.signature.prompt_path not in played.result.committed
    asked = [r for r in played.client.of(MODEL) if inputs_of(r).startswith("<answer>")]
    assert {r.messages[0].content for r in asked} == {r.messages[0].content for r in asked[:1]}
    assert all(len(r.messages) == 2 for r in asked)


def test_an_error_of_the_world_under_a_candidate_stops_the_study() -> None:
    def failing(request: Request) -> str:
        if request.model == MODEL and len(request.messages) > 2 and own_row(request) == "r014":
            raise EndpointError("fake/task: 503 after 5 tries")
        return answer(request)

    events: list[object] = []
    with pytest.raises(MeasurementError, match=r"test_colour\[r014\]: fake/task: 503 after 5"):
        play(client=WorldClient(failing), services={"emit": events.append}, minibatch_size=100)
    assert any(isinstance(event, BaselineMeasured) for event in events)
    assert not any(isinstance(event, Decided) for event in events)


def test_no_case_runs_on_after_the_study_was_stopped() -> None:
    under_way: set[str] = set()

    def metric(row: Row) -> Outcome:
        under_way.add(row.id)
        try:
            if row.id != "r000":
                time.sleep(0.03)
            return metric_colour(row)
        finally:
            under_way.discard(row.id)

    def failing(request: Request) -> str:
        if request.model == MODEL and own_row(request) == "r000":
            raise EndpointError("fake/task: 503 after 5 tries")
        return answer(request)

    client = WorldClient(failing)
    services = make_services(client)
    study = make_study(tests={"test_colour": metric})

    def stop(done: object) -> None:
        if isinstance(done, StageProgress):
            raise MissingKeyError("the first case ended")

    with pytest.raises(MissingKeyError):
        optimize(study, changed(services, emit=stop), make_settings(concurrency=4))
    assert under_way == set()
    made = len(client.requests)
    time.sleep(0.05)
    assert 0 < made == len(client.requests) < 20


def test_a_refused_reply_scores_zero_and_the_study_goes_on() -> None:
    def refusing(request: Request) -> str:
        if request.model == MODEL and len(request.messages) > 2:
            raise RefusalError("the content filter refused the reply")
        return answer(request)

    played = play(client=WorldClient(refusing))
    few_shot = [t for t in played.seen(TrialFinished) if t.assignment[1] or t.assignment[3]]
    assert few_shot
    assert all(trial.estimate < 0.3 for trial in few_shot)
