"""The plain data of measuring: their defaults are part of the contract with the plugin."""

import dataclasses

import pytest

from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec


def test_an_outcome_is_a_score_unless_it_says_otherwise() -> None:
    outcome = Outcome(1.0)
    assert (outcome.skipped, outcome.error, outcome.failure, outcome.returned) == (
        "",
        "",
        "",
        False,
    )
    assert outcome == Outcome(1.0, feedback="", metrics={})


def test_a_test_is_measured_once_concurrently_and_passes_with_a_full_score() -> None:
    spec = TestSpec("test_queue")
    assert (spec.threshold, spec.pass_score, spec.repeats, spec.concurrent) == (None, 1.0, 1, True)
    assert TestSpec.__test__ is False  # or pytest would collect it from every module that has it


def test_a_case_may_lend_demos_and_falls_into_any_part() -> None:
    case = Case("test_queue[1]", "1", "test_queue", lambda: Outcome(1.0))
    assert (case.split, case.demo, dict(case.columns)) == (None, True, {})


def test_data_do_not_change() -> None:
    study = Study("s", (), {})
    for item, name in ((study, "name"), (TestSpec("t"), "repeats"), (Outcome(1.0), "score")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(item, name, None)


def test_an_empty_text_is_no_label() -> None:
    """A CSV file has one in each row without a label."""
    spec = TestSpec("t", labels={"sort": "queue"})
    assert spec.label_column("app.sort", {"queue": "bug"}) == "queue"
    assert spec.label_column("app.sort", {"queue": None}) == "queue"  # may be right
    assert spec.label_column("app.sort", {"queue": ""}) is None
    assert spec.label_column("app.sort", {}) is None
    assert spec.label_column("app.note", {"queue": "bug", "": "x"}) is None
