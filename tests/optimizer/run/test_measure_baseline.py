"""Measuring the baseline: skipped cases, the modules found, and what ends the study there."""

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from measured_baseline import measure
from optimizer_world import (
    Row,
    judge,
    make_row,
    make_rows,
    make_study,
    metric_colour,
    note,
    play,
    program,
    sort,
)
from world_model import MODEL, WorldClient, answer, own_row

from pytest_mipro.errors import ConfigurationError, EndpointError
from pytest_mipro.optimizer.measuring.expectations import MeasurementError
from pytest_mipro.optimizer.run.events import BaselineMeasured, Plan, TrialFinished
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.settings import configure, current_settings, replace_settings
from pytest_mipro.runtime.signature.signature import Signature


def skipping(rows: Sequence[str]) -> Any:
    def test(row: Row) -> Outcome:
        outcome = metric_colour(row)
        return Outcome(None, skipped="not today") if row.id in rows else outcome

    return test


# Cases.


def test_a_case_that_is_skipped_in_the_baseline_is_removed() -> None:
    gone = {"r003", "r020", "r035"}
    tests = {"test_colour": metric_colour, "test_more": skipping(sorted(gone))}
    made = measure(make_study(tests=tests))
    ids = {case.id for case in made.baseline.study.cases}
    assert len(ids) == 2 * 42 - 3
    assert made.event(BaselineMeasured).removed == tuple(
        f"test_more[{row}]" for row in sorted(gone)
    )
    assert made.event(BaselineMeasured).measured.cases == 81
    assert {run.case.id for run in made.baseline.evaluation.runs} == ids
    assert "r020" in made.baseline.split.validation  # its other test is still there


def test_a_row_of_skipped_cases_is_in_no_part_and_lends_nothing() -> None:
    study = make_study(tests={"test_colour": skipping(["r002", "r020", "r035"])})
    played = play(study, seed=1)
    split = played.result.split
    rows = {*split.train, *split.validation, *split.holdout}
    assert rows == {row.id for row in make_rows()} - {"r002", "r020", "r035"}
    requests = played.client.of(MODEL)
    for row in ("r002", "r020", "r035"):
        mine = [request for request in requests if own_row(request) == row]
        assert len(mine) == 2  # the baseline's two calls, none under a candidate
    assert {run.case.row for run in played.result.final.runs} == rows


def test_a_skip_in_one_of_several_samples_removes_the_case() -> None:
    seen: list[str] = []

    def test(row: Row) -> Outcome:
        program(row.text)
        seen.append(row.id)
        return Outcome(None, skipped="once") if seen.count(row.id) == 2 else Outcome(1.0)

    rows = [make_row(0, "train"), make_row(1, "validation"), make_row(2, "holdout")]
    with pytest.raises(ConfigurationError, match="every case was skipped"):
        measure(make_study(rows, {"test": test}, {"test": {"repeats": 3}}))


def test_a_skip_under_a_candidate_scores_zero() -> None:
    def test(row: Row) -> Outcome:
        given = program(row.text)
        demos = len(note.prompt.demos) + len(sort.prompt.demos)
        if demos and row.split == "validation":
            return Outcome(None, skipped="the demos do not please")
        return Outcome(float(given == row.colour))

    played = play(make_study(tests={"test_colour": test}))
    few_shot = [t for t in played.seen(TrialFinished) if t.assignment[1] or t.assignment[3]]
    with_demos = {t.assignment: t.estimate for t in few_shot}
    assert with_demos
    baseline = played.result.before.objective
    assert all(estimate < baseline for estimate in with_demos.values())
    assert played.seen(BaselineMeasured)[0].removed == ()


# Modules.


def test_modules_come_in_order_of_their_first_call_the_frozen_apart() -> None:
    def test(row: Row) -> Outcome:
        judge(f"[{row.id}]")
        return metric_colour(row)

    made = measure(make_study(tests={"test": test}))
    assert made.baseline.signatures == (note.signature, sort.signature)
    assert made.baseline.frozen == ("optimizer_world.judge",)
    assert made.baseline.models == {
        module.signature.prompt_path: MODEL for module in (judge, note, sort)
    }
    assert {path: p.instruction for path, p in made.baseline.committed.items()} == {
        note.signature.prompt_path: "Note what the text is about.",
        sort.signature.prompt_path: "Choose the colour.",
    }
    plan = made.event(Plan)
    assert plan.modules == ("optimizer_world.note", "optimizer_world.sort")
    assert plan.frozen == ("optimizer_world.judge",)


@pytest.mark.parametrize("frozen", [True, False])
def test_without_a_module_to_optimise_there_is_no_study(frozen: bool) -> None:
    def test(row: Row) -> Outcome:
        if frozen:
            judge(f"[{row.id}]")
        return Outcome(1.0)

    with pytest.raises(ConfigurationError, match="called no LM module that can be optimised"):
        measure(make_study(tests={"test": test}))


def test_the_edge_may_refuse_the_modules_before_anything_is_searched() -> None:
    asked: list[tuple[Signature, ...]] = []

    def refuse(signatures: Sequence[Signature]) -> None:
        asked.append(tuple(signatures))
        raise ConfigurationError("two studies on one module")

    client = WorldClient()
    with pytest.raises(ConfigurationError, match="two studies on one module"):
        play(client=client, services={"check_modules": refuse})
    assert asked == [(note.signature, sort.signature)]
    sample = 2 * 30  # which runs once more alone, from the cache if there is one
    assert len(client.requests) == 84 + sample


@contextmanager
def configured(**settings: Any) -> Any:
    before = current_settings()
    configure(**settings)
    try:
        yield
    finally:
        replace_settings(before)


def test_models_are_those_that_were_called() -> None:
    with configured(models={sort: "fake/other"}):
        made = measure(make_study())
    assert made.baseline.models[note.signature.prompt_path] == MODEL
    assert made.baseline.models[sort.signature.prompt_path] == "fake/other"


# Measurement.


def test_an_error_of_the_world_ends_the_study_before_a_plan() -> None:
    def reply(request: Request) -> str:
        if own_row(request) == "r033":
            raise EndpointError("fake/task: 500")
        return answer(request)

    events: list[Any] = []
    with pytest.raises(MeasurementError, match=r"^test_colour\[r033\]: fake/task: 500$"):
        play(client=WorldClient(reply), services={"emit": events.append})
    assert not any(isinstance(event, Plan) for event in events)


def test_a_score_forgotten_in_some_cases_ends_the_study() -> None:
    def test(row: Row) -> Outcome:
        program(row.text)
        return Outcome(1.0) if row.id == "r007" else Outcome(0.5, returned=True)

    with pytest.raises(MeasurementError, match=r"test\[r007\]: the test returned nothing"):
        measure(make_study(tests={"test": test}))


def test_so_does_one_that_is_forgotten_under_a_candidate_alone() -> None:
    def test(row: Row) -> Outcome:
        right = program(row.text) == row.colour
        committed = {"Choose the colour.", "Note what the text is about."}
        if {sort.prompt.instruction, note.prompt.instruction} == committed:
            return Outcome(float(right), returned=True)
        return Outcome(1.0) if right else Outcome(0.0, feedback="assert")

    with pytest.raises(MeasurementError, match="the test returned nothing"):
        play(make_study(tests={"test": test}))


def test_a_candidates_run_without_a_call_where_the_baseline_made_one_ends_the_study() -> None:
    kept: dict[str, str] = {}

    def test(row: Row) -> Outcome:
        if row.id not in kept:
            kept[row.id] = program(row.text)
        return Outcome(float(kept[row.id] == row.colour))

    with pytest.raises(MeasurementError, match=r"no module call was seen .*copy_context"):
        play(make_study(tests={"test": test}))


def test_a_case_may_make_five_times_the_calls_of_the_baselines_longest() -> None:
    def test(row: Row) -> Outcome:
        note(row.text)
        if row.id == "r005":
            note(row.text + " once more")
        return metric_colour(row)

    made = measure(make_study(tests={"test": test}))
    assert made.baseline.rules.max_calls_per_case == 5 * 4
    assert measure(make_study(), max_calls_per_case=7).baseline.rules.max_calls_per_case == 7


def test_a_case_that_calls_too_often_in_the_baseline_scores_zero_there_already() -> None:
    made = measure(make_study(), max_calls_per_case=1)
    assert made.event(BaselineMeasured).measured.objective == 0.0


def test_cases_that_make_no_call_are_not_expected_to() -> None:
    def test(row: Row) -> Outcome:
        return metric_colour(row) if row.id != "r001" else Outcome(1.0)

    made = measure(make_study(tests={"test": test}))
    expected = made.baseline.rules.expectations.calls
    assert expected == {f"test[{row.id}]" for row in make_rows()} - {"test[r001]"}
    assert made.row_calls["r001"] == 0


def test_a_test_that_raises_in_every_case_is_refused() -> None:
    def broken(row: Row) -> Outcome:
        raise KeyError("colour")

    with pytest.raises(MeasurementError, match=r"each of its \d+ case runs raised .*KeyError"):
        measure(make_study(tests={"test": broken}))


@pytest.mark.parametrize("samples", [True, False])
def test_a_model_that_takes_no_temperature_gives_samples(samples: bool) -> None:
    client = WorldClient()
    client.samples_at_0 = lambda model: samples and model == MODEL  # type: ignore[attr-defined]
    measurement = measure(make_study(make_rows()), client)
    assert measurement.baseline.search_sample == (1 if samples else 0)
