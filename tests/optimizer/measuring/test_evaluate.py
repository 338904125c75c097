"""An evaluation: what is a score, what ends the study, samples and demos."""

import contextvars
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from measured_world import ROWS, SPOILT, evaluate, failing_at, outcomes
from optimizer_world import Row, metric_colour, note, program, sort
from world_model import WorldClient, answer, module_of, own_row

from pytest_mipro.errors import EndpointError
from pytest_mipro.optimizer.measuring.expectations import (
    Expectations,
    MeasurementError,
    expectations_of,
)
from pytest_mipro.optimizer.study.case import Evaluation, Outcome
from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt


def test_scores_and_calls_come_in_case_order() -> None:
    evaluation = evaluate(client=WorldClient(delays=1))
    assert [run.case.row for run in evaluation.runs] == [row.id for row in ROWS]
    assert evaluation.scores() == {
        f"test[{row.id}]": float(row.colour == "red" or row.id == "r004") for row in ROWS
    }
    for run in evaluation.runs:
        assert [call.signature for call in run.calls] == [note.signature, sort.signature]
        assert run.calls[1].inputs["note"] == run.calls[0].output
    assert evaluation.calls == 12


def test_a_reply_that_cant_be_used_scores_zero_with_its_error_as_feedback() -> None:
    for outcome in outcomes(evaluate(prompts=SPOILT)).values():
        assert outcome.score == 0.0
        assert "the reply can't be used, also after one correction" in outcome.feedback


def test_an_error_of_the_world_stops_the_study_and_names_the_case() -> None:
    with pytest.raises(MeasurementError, match=r"^test\[r003\]: fake/task: connection refused$"):
        evaluate(client=failing_at("r003"))


def test_an_error_of_the_world_that_the_pipeline_swallows_stops_the_study_too() -> None:
    def swallowing(row: Row) -> Outcome:
        try:
            return metric_colour(row)
        except Exception:
            return Outcome(1.0)

    with pytest.raises(MeasurementError, match=r"test\[r003\]: fake/task: connection refused"):
        evaluate(swallowing, failing_at("r003"))
    assert set(evaluate(swallowing, prompts=SPOILT).scores().values()) == {1.0}  # a candidate's own


def test_an_exception_that_comes_again_scores_zero() -> None:
    times: list[str] = []

    def raising(row: Row) -> Outcome:
        program(row.text)
        if row.id == "r002":
            times.append(row.id)
            raise ValueError("no such key")
        return Outcome(1.0)

    client = WorldClient()
    evaluation = evaluate(raising, client)
    assert outcomes(evaluation)["r002"] == Outcome(
        0.0, feedback="ValueError: no such key", failure="ValueError: no such key"
    )
    assert times == ["r002", "r002"]
    assert evaluation.calls == 12  # the second run asked the same
    assert sum(evaluation.scores().values()) == 5


@pytest.mark.parametrize("second", ["passes", "another", "skips"])
def test_an_exception_that_does_not_come_again_stops_the_study(second: str) -> None:
    seen: set[str] = set()

    def flaky(row: Row) -> Outcome:
        program(row.text)
        if row.id == "r002":
            if row.id not in seen:
                seen.add(row.id)
                raise ValueError("a full moon")
            if second == "another":
                raise ValueError("a new moon")
            if second == "skips":
                return Outcome(None, skipped="no moon")
        return Outcome(1.0)

    message = r"test\[r002\]: raised 'ValueError: a full moon' in one run and not in the next"
    with pytest.raises(MeasurementError, match=message):
        evaluate(flaky)


def test_where_the_world_breaks_the_second_run_the_world_is_named() -> None:
    broken: set[str] = set()

    def reply(request: Request) -> str:
        if own_row(request) in broken:
            raise EndpointError("fake/task: 503")
        return answer(request)

    def raising(row: Row) -> Outcome:
        program(row.text)
        broken.add(row.id)
        raise ValueError("always")

    with pytest.raises(MeasurementError, match=r"test\[r000\]: fake/task: 503"):
        evaluate(raising, WorldClient(reply))


def test_a_skip_counts_zero_and_is_told() -> None:
    def skipping(row: Row) -> Outcome:
        return Outcome(None, skipped="today") if row.id == "r001" else Outcome(1.0)

    evaluation = evaluate(skipping)
    assert evaluation.skipped == ("test[r001]",)
    assert evaluation.scores()["test[r001]"] == 0.0
    assert sum(evaluation.scores().values()) == 5


def test_a_pass_without_a_score_where_others_return_one_stops_the_study() -> None:
    def forgetful(row: Row) -> Outcome:
        return Outcome(1.0) if row.id == "r001" else Outcome(0.5, returned=True)

    with pytest.raises(MeasurementError, match=r"test\[r001\]: the test returned nothing"):
        evaluate(forgetful)


def test_so_does_one_where_the_baseline_returned_scores() -> None:
    def silent(row: Row) -> Outcome:
        return Outcome(1.0) if row.id == "r001" else Outcome(0.0, feedback="assert")

    assert evaluate(silent).scores()["test[r001]"] == 1.0
    with pytest.raises(MeasurementError, match="return a score in every case"):
        evaluate(silent, expectations=Expectations(returns=frozenset(["test"])))


def test_a_failed_assertion_or_exception_is_no_forgotten_score() -> None:
    def asserting(row: Row) -> Outcome:
        if row.id == "r001":
            return Outcome(0.0, feedback="assert 1 == 2")
        if row.id == "r002":
            raise ValueError("always")
        return Outcome(1.0, returned=True)

    assert sum(evaluate(asserting).scores().values()) == 4


def test_no_module_call_where_the_baseline_made_one_stops_the_study() -> None:
    def kept(row: Row) -> Outcome:
        if row.id != "r003":
            program(row.text)
        return Outcome(1.0)

    others = frozenset(f"test[{row.id}]" for row in ROWS if row.id != "r003")
    assert evaluate(kept, expectations=Expectations(others)).runs
    with pytest.raises(MeasurementError, match=r"test\[r003\]: no module call was seen"):
        evaluate(kept, expectations=Expectations(others | {"test[r003]"}))


def test_a_module_that_every_case_called_and_none_calls_now_stops_the_study() -> None:
    def memoised(row: Row) -> Outcome:
        sort(row.text)
        return Outcome(1.0)

    first = evaluate(lambda row: Outcome(1.0) if program(row.text) else Outcome(0.0))
    expected = expectations_of(first.runs, {})
    assert evaluate(expectations=expected).runs
    with pytest.raises(MeasurementError, match=r"no case called the module \S*note, which"):
        evaluate(memoised, expectations=expected)


def test_a_new_prompt_of_another_module_may_lead_past_one_in_all_cases() -> None:
    def routed(row: Row) -> Outcome:
        text = note(row.text)
        return Outcome(1.0 if "more" in text or sort(text) else 0.0)

    away = {note.signature.prompt_path: Prompt("wander")}
    expected = expectations_of(evaluate(routed).runs, {})
    led = evaluate(routed, prompts=away, expectations=expected)
    assert {call.signature for run in led.runs for call in run.calls} == {note.signature}
    with pytest.raises(MeasurementError, match=r"no case called the module \S*sort, which"):
        evaluate(routed, prompts=away, expectations=replace(expected, committed=away))


def test_its_own_new_prompt_does_not_lead_past_a_module() -> None:
    def memoised(row: Row) -> Outcome:
        return Outcome(1.0 if note(row.text) else 0.0)

    expected = expectations_of(evaluate().runs, {})
    new = {sort.signature.prompt_path: Prompt("Sort it.")}
    with pytest.raises(MeasurementError, match=r"no case called the module \S*sort, which"):
        evaluate(memoised, prompts=new, expectations=expected)


def test_a_teacher_may_lead_past_a_module() -> None:
    def led(row: Row) -> Outcome:
        return Outcome(1.0 if note(row.text) else 0.0)

    expected = expectations_of(evaluate().runs, {})
    taught = evaluate(led, expectations=expected, teacher=Teacher("fake/task"))
    assert len(taught.runs) == len(ROWS)


def test_the_order_in_which_calls_begin_changes_nothing() -> None:
    def either(order: Sequence[str]) -> Evaluation:
        def test(row: Row) -> Outcome:
            for text in order:
                sort(f"{text} {row.text}")
            return Outcome(1.0)

        return evaluate(test)

    calls = [[dict(c.inputs) for r in either(o).runs for c in r.calls] for o in ("abc", "cab")]
    assert calls[0] == calls[1]


def test_more_calls_than_a_case_may_make_score_zero() -> None:
    client = WorldClient()
    evaluation = evaluate(client=client, max_calls_per_case=1)
    assert set(evaluation.scores().values()) == {0.0}
    feedback = outcomes(evaluation)["r000"].feedback
    assert feedback == "the case made more than 1 LM call (max_calls_per_case)"
    assert len(client.requests) == 6
    assert evaluate(max_calls_per_case=2).scores() == evaluate().scores()


def test_repeats_have_sample_indices_from_zero() -> None:
    client = WorldClient()
    evaluation = evaluate(client=client, repeats=3)
    samples = {(own_row(request), request.sample) for request in client.requests}
    assert samples == {(row.id, sample) for row in ROWS for sample in range(3)}
    assert [(run.case.row, run.sample) for run in evaluation.runs] == [
        (row.id, sample) for row in ROWS for sample in range(3)
    ]


def test_scores_are_means_over_samples_or_over_the_first_of_them() -> None:
    def by_sample(request: Request) -> str:
        reply = answer(request)
        return "green" if module_of(request) == "sort" and request.sample == 0 else reply

    evaluation = evaluate(client=WorldClient(by_sample), repeats=4)
    assert evaluation.scores()["test[r000]"] == 0.75
    assert evaluation.scores(samples=2)["test[r000]"] == 0.5
    assert evaluation.scores(samples=1)["test[r000]"] == 0.0


def test_without_repeats_each_case_runs_with_its_first_sample() -> None:
    client = WorldClient()
    evaluation = evaluate(client=client, repeats=3, rules={"repeats": False, "first_sample": 2})
    assert {request.sample for request in client.requests} == {2}
    assert len(evaluation.runs) == 6


def test_a_row_is_measured_without_its_own_demo() -> None:
    demos = tuple(Demo(row.id, {"note": f"[{row.id}] demo"}, row.colour) for row in ROWS[:3])
    client = WorldClient()
    evaluate(client=client, prompts={sort.signature.prompt_path: Prompt("Choose.", demos)})
    shown = {
        own_row(request): len(request.messages)
        for request in client.requests
        if module_of(request) == "sort"
    }
    assert shown == {row.id: 6 if row in ROWS[:3] else 8 for row in ROWS}


def test_ctrl_c_in_a_case_passes_through() -> None:
    def interrupted(row: Row) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(interrupted)


def test_a_thread_with_the_cases_context_is_measured() -> None:
    def threaded(row: Row) -> Outcome:
        with ThreadPoolExecutor(1) as pool:
            given = pool.submit(contextvars.copy_context().run, program, row.text).result()
        return Outcome(float(given == row.colour))

    evaluation = evaluate(threaded)
    assert evaluation.scores() == evaluate().scores()
    assert all(len(run.calls) == 2 for run in evaluation.runs)
