"""Sampled replies: the scores that are locked were not what the finalist was chosen by."""

import pytest
from optimizer_world import (
    Played,
    make_rows,
    make_services,
    make_settings,
    make_study,
    note,
    play,
    sort,
    word_of,
)
from world_model import MODEL, WorldClient, answer, module_of, own_row

from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.run.events import Plan, StageStarted, TrialFinished
from pytest_mipro.optimizer.run.measure_baseline import measure_baseline
from pytest_mipro.optimizer.run.study_run import study_run
from pytest_mipro.optimizer.study.case import Outcome, Study
from pytest_mipro.runtime.client.contract import Request

REPEATED = make_study(specs={"test_colour": {"repeats": 2}})


def metric_warm(row) -> Outcome:
    given = sort.using(temperature=0.7)(note=note(row.text))
    return Outcome(float(given == row.colour), feedback=f"{word_of(row.text)} is {row.colour}")


WARM = make_study(tests={"test_warm": metric_warm})


def samples_by_stage(study: Study) -> dict[str, set[int]]:
    """Return the sample indices of the requests of each stage; trials are stages of their own."""
    client = WorldClient()
    seen: dict[str, set[int]] = {}
    stage = ["baseline"]

    def emit(event: object) -> None:
        asked = {request.sample for request in client.of(MODEL)}
        if isinstance(event, TrialFinished):
            seen.setdefault("trials", set()).update(asked)
        elif isinstance(event, StageStarted):
            seen.setdefault(stage[0], set()).update(asked)
            stage[0] = event.stage
        else:
            return
        del client.requests[:]

    result = play(study, client, {"emit": emit}, in_flight=1, training_rows=0).result
    assert result.final is not None
    seen.setdefault(stage[0], set()).update(run.sample for run in result.final.runs)
    return seen


@pytest.mark.parametrize(("study", "gate"), [(REPEATED, {0, 1}), (WARM, {0})])
def test_the_search_asks_for_other_samples_than_the_gate(study: Study, gate: set[int]) -> None:
    seen = samples_by_stage(study)
    assert seen["baseline"] == seen["final pass"] == gate
    assert seen["decision"] <= gate
    assert seen["trials"]
    assert not seen["trials"] & gate


def test_without_sampling_a_request_is_asked_once() -> None:
    seen = samples_by_stage(make_study())
    assert seen["trials"] == seen["baseline"] == seen["final pass"] == {0}


def lucky(request: Request) -> str:
    """The search's samples are right whatever the prompt says, those of the gate as it says."""
    if request.model == MODEL and module_of(request) == "sort" and request.sample >= 2:
        row = next(row for row in make_rows() if row.id == own_row(request))
        return row.colour
    return answer(request)


def play_lucky() -> Played:
    return play(REPEATED, WorldClient(lucky))


def test_luck_in_the_search_is_not_in_the_final_scores() -> None:
    played = play_lucky()
    best = [trial.estimate for trial in played.seen(TrialFinished) if trial.kind == "full"]
    assert max(value for value in best if value is not None) == 1.0
    after = played.result.deciding_after
    assert after is not None
    assert after.objective < 1.0


def test_decision_and_final_pass_have_their_calls_set_aside() -> None:
    services = make_services(WorldClient())
    run = study_run(REPEATED, services, make_settings(max_calls=1000))
    try:
        baseline = measure_baseline(run)
        hold_for_decision(run, baseline)
    finally:
        run.evaluator.close()
    # 14 rows decide; 12 training and 16 validation rows are new; each makes 2 x 2 calls
    assert (len(baseline.deciding_rows), len(baseline.final_rows())) == (14, 28)
    assert run.ledger.held.calls == 56 * 1.25 + 112 * 1.25


def test_the_plan_counts_the_validation_rows_twice() -> None:
    def after_baseline(study: Study) -> int:
        played = play(study)
        (plan,) = played.seen(Plan)
        baseline = sum(run.calls != () for run in played.result.baseline.runs) * 2
        return int(plan.forecast.expected.calls) - baseline

    once, warm = after_baseline(make_study()), after_baseline(WARM)
    assert warm - once == 16 * 2
