"""Measuring: what is a score, what stops the study, and how calls are counted and bounded."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from optimizer_world import Row, make_rows, make_study, metric_colour, note, program, sort
from world_model import WorldClient, answer, inputs_of, module_of, own_row

from pytest_mipro.errors import BudgetError, EndpointError
from pytest_mipro.optimizer.budget.ledger import Ledger, Part
from pytest_mipro.optimizer.budget.meter import Accounting, Meter, MeteredRequest
from pytest_mipro.optimizer.budget.spending import Spending
from pytest_mipro.optimizer.measuring.evaluate import Evaluator, MeasuringRules
from pytest_mipro.optimizer.measuring.expectations import (
    Expectations,
    MeasurementError,
    expectations_of,
)
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Evaluation, Outcome, Study, cases_of
from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

ROWS = make_rows(train=6, validation=0, holdout=0)
SPOILT = {sort.signature.prompt_path: Prompt("spoil")}


def part_of(ledger: Ledger, calls: int) -> Part:
    part = ledger.part("trial", Amount(calls), stage="search")
    assert part is not None
    return part


def left(ledger: Ledger) -> int:
    return ledger.left().calls


@contextmanager
def evaluator(
    study: Study, client: WorldClient | None = None, concurrency: int = 4
) -> Iterator[Evaluator]:
    made = Evaluator(study, client or WorldClient(), Accounting(), concurrency=concurrency)
    try:
        yield made
    finally:
        made.close()


def evaluate(
    test: Callable[[Row], Outcome] = metric_colour,
    client: WorldClient | None = None,
    prompts: Any = None,
    *,
    calls: int = 1000,
    repeats: int = 1,
    rules: Mapping[str, Any] = MappingProxyType({}),
    **more_rules: Any,
) -> Evaluation:
    """Measure a test on six rows; the fields of the rules may be given one by one."""
    study = make_study(ROWS, {"test": test}, {"test": {"repeats": repeats}})
    part = part_of(Ledger(Limits(calls)), calls)
    with evaluator(study, client) as made:
        made_rules = MeasuringRules(**rules, **more_rules)
        return made.start(prompts or {}, study.cases, part, made_rules).result()


def outcomes(evaluation: Evaluation) -> dict[str, Outcome]:
    return {run.case.row: run.outcome for run in evaluation.runs}


def failing_at(row: str) -> WorldClient:
    def reply(request: Request) -> str:
        if own_row(request) == row:
            raise EndpointError("fake/task: connection refused")
        return answer(request)

    return WorldClient(reply)


# What is a score.


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


# One at a time, or not.


class Crowd:
    """How many cases were inside the test at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def test(self, row: Row) -> Outcome:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.004)
        with self._lock:
            self.inside -= 1
        return Outcome(1.0)


@pytest.mark.parametrize("concurrent", [True, False])
def test_cases_of_an_exclusive_test_run_one_at_a_time_also_across_trials(concurrent: bool) -> None:
    alone, free = Crowd(), Crowd()
    study = make_study(
        ROWS,
        {"test_alone": alone.test, "test_free": free.test},
        {"test_alone": {"concurrent": concurrent}},
    )
    with evaluator(study, concurrency=8) as made:
        ledger = Ledger(Limits())
        pending = [made.start({}, study.cases, part_of(ledger, 9)) for n in range(3)]
        for one in pending:
            assert len(one.result().runs) == 12
    assert free.most > 1
    assert (alone.most == 1) is not concurrent


def test_exclusive_tests_never_run_beside_each_other() -> None:
    shared = Crowd()
    alone = {"concurrent": False}
    study = make_study(
        ROWS, {"test_a": shared.test, "test_b": shared.test}, {"test_a": alone, "test_b": alone}
    )
    with evaluator(study, concurrency=8) as made:
        made.start({}, study.cases, part_of(Ledger(Limits()), 9)).result()
    assert shared.most == 1


def test_concurrency_bounds_the_cases_that_run_at_once() -> None:
    crowd = Crowd()
    study = make_study(ROWS, {"test": crowd.test})
    with evaluator(study, concurrency=2) as made:
        part = part_of(Ledger(Limits()), 9)
        made.start({}, study.cases, part).result()
    assert crowd.most == 3  # two calls, and a case that parses meanwhile


def test_progress_tells_every_number_once() -> None:
    study = make_study(ROWS, {"test": lambda row: Outcome(1.0)})
    told: list[int] = []
    with evaluator(study, concurrency=6) as made:
        pending = made.start({}, study.cases, part_of(Ledger(Limits()), 9))
        for future in pending.futures:
            future.result()  # all ended before anybody looks
        pending.result(told.append)
    assert told == [1, 2, 3, 4, 5, 6]


def test_progress_is_told_while_cases_still_run() -> None:
    """The last case ends only when the others were told: progress must not wait for all."""
    seen_five = threading.Event()
    last = ROWS[0].id

    def test(row: Row) -> Outcome:
        return Outcome(float(row.id != last or seen_five.wait(10)))

    def tell(done: int) -> None:
        told.append(done)
        if done == 5:
            seen_five.set()

    told: list[int] = []
    study = make_study(ROWS, {"test": test})
    with evaluator(study, concurrency=6) as made:
        pending = made.start({}, study.cases, part_of(Ledger(Limits()), 9))
        assert sum(pending.result(tell).scores().values()) == 6
    assert told == [1, 2, 3, 4, 5, 6]


def test_closing_waits_for_cases_under_way_but_not_for_a_stuck_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_mipro.optimizer.measuring.evaluate._PATIENCE", 0.3)
    begun, release, ended = threading.Barrier(4), threading.Event(), threading.Event()

    def test(row: Row) -> Outcome:
        begun.wait(10)
        if row.id == ROWS[0].id:
            release.wait(30)
        else:
            time.sleep(0.05)
            ended.set()
        return Outcome(1.0)

    study = make_study(ROWS, {"test": test})
    with evaluator(study, concurrency=2) as made:
        pending = made.start({}, study.cases, part_of(Ledger(Limits()), 9))
        begun.wait(10)
        start = time.monotonic()
        made.close(wait=True)
        waited = time.monotonic() - start
    release.set()
    assert ended.is_set()
    assert 0.3 <= waited < 5
    assert [future.cancelled() for future in pending.futures] == [False] * 3 + [True] * 3


# Calls.


def test_more_calls_than_reserved_drop_the_evaluation_and_charge_it_whole() -> None:
    ledger, client = Ledger(Limits(100)), WorldClient()
    study = make_study(ROWS)
    with evaluator(study, client) as made:
        evaluation = made.start({}, study.cases, part_of(ledger, 7)).result()
    assert evaluation.over_budget == "more than the 7 calls reserved for it"
    assert evaluation.runs == ()
    assert len(client.digests) == evaluation.calls == ledger.spent.calls == 7


def test_a_budget_error_that_the_pipeline_swallows_drops_the_evaluation_too() -> None:
    def swallowing(row: Row) -> Outcome:
        try:
            return metric_colour(row)
        except Exception:
            return Outcome(1.0)

    assert evaluate(swallowing, calls=11).over_budget
    assert not evaluate(swallowing, calls=12).over_budget


def test_requests_that_evaluations_share_are_charged_once() -> None:
    ledger, client = Ledger(Limits(100)), WorldClient(delays=3)
    study = make_study(ROWS)
    with evaluator(study, client) as made:
        first, second = (made.start({}, study.cases, part_of(ledger, 12)) for _ in range(2))
        assert left(ledger) == 76  # both are in flight whole
        assert (first.result().calls, second.result().calls) == (12, 0)
        assert (ledger.spent.calls, left(ledger)) == (12, 88)
        known = made.start({}, study.cases, part_of(ledger, 0))
        assert known.result().over_budget == ""
    assert len(client.digests) == 12


def asked(digest: str) -> MeteredRequest:
    return MeteredRequest(digest, ("", ""), Amount(1))


def test_a_request_counted_after_the_mark_is_paid_until_it_is_settled() -> None:
    ledger, spending = Ledger(Limits(10)), Spending()
    early, late = (Meter(part_of(ledger, 3), spending) for _ in range(2))
    early.note(asked("a"))
    assert early.settle() == 1
    late.note(asked("a"))  # known by now, but not when this part began: timing must not matter
    late.note(asked("a"))
    assert len(late.requests) == 1
    assert late.settle() == 0
    assert ledger.spent.calls == spending.mark == 1


def test_what_a_dropped_part_asked_is_not_known_to_later_ones() -> None:
    """Which of its requests came before the limit depends on timing; no charge may."""
    ledger, spending = Ledger(Limits(20)), Spending()
    dropped = Meter(part_of(ledger, 3), spending)
    for digest in "abc":
        dropped.note(asked(digest))
    with pytest.raises(BudgetError, match="4 calls, but 3 calls were reserved"):
        dropped.note(asked("d"))
    assert dropped.settle(whole=True) == 3
    assert (spending.mark, ledger.spent.calls, left(ledger)) == (0, 3, 17)
    later = Meter(part_of(ledger, 2), spending)
    later.note(asked("a"))
    later.note(asked("d"))
    assert later.settle() == 2
    assert (spending.mark, ledger.spent.calls) == (2, 5)


def test_cases_of_rows_keep_the_studys_order() -> None:
    study = make_study(ROWS)
    assert [case.row for case in cases_of(study, ["r004", "r001", "r009"])] == ["r001", "r004"]


def test_the_inputs_are_what_the_row_says() -> None:
    client = WorldClient()
    evaluate(client=client)
    texts = {inputs_of(request) for request in client.requests if module_of(request) == "note"}
    assert texts == {f"<text>\n{row.text}\n</text>" for row in ROWS}
