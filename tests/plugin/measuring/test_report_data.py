"""What is attached to a report comes back equal, whichever process reads it."""

from __future__ import annotations

import json

import pytest

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.lock.lock_file import LockedModule
from pytest_mipro.plugin.measuring.report_data import (
    CallUsage,
    CaseResult,
    MeasuredCase,
    ModuleUsage,
    RepliesUsage,
    ReportData,
    Step,
    attach,
    attached,
    by_module,
)

RESULT = CaseResult(
    id="test_x[é]",
    row="row",
    outcome=Outcome(0.5, "half", {"chars": 3.0}, returned=True),
    usages=(ModuleUsage("pipeline.echo", "test/echo", CallUsage(2, 1, 20, 10, None)),),
    samples=(0.0, 1.0),
    steps=(Step("pipeline.echo", "two \ud800"),),
    group="app",
    split="train",
    digest="0" * 16,
)
PLAN = TestPlan(
    nodeid="t.py::test_x",
    name="test_x",
    study="t.py",
    lock="t.mipro.json",
    threshold=0.5,
    max_regression=None,
    confidence=None,
    pass_score=1.0,
    repeats=2,
    expected=1,
    selected=1,
)
MODULE = LockedModule("pipeline.echo", "p.yaml", "1", "2", "3", "test/echo", {"temperature": 0.5})
CASE = MeasuredCase(PLAN, RESULT, partial=True, selected=3, modules=(MODULE,), demo_rows=("r",))
REPLIES = RepliesUsage(
    "t.mipro.json", 2, 1, 9.5, ("{}",), (("test_x", "m", "d"),), "once", (("m", "empty", 2),)
)


DATA = ReportData("passed", CASE, REPLIES, (("t.mipro.json", "{}"),))


def a_report():
    return pytest.TestReport("t.py::x", ("t.py", 0, "x"), {}, "passed", None, "call")


def test_data_comes_back_equal_from_another_process():
    report, other = a_report(), a_report()
    attach(report, **vars(DATA))
    other.__dict__.update(json.loads(json.dumps(report._to_json())))  # as pytest-xdist does
    assert attached(other) == DATA


def test_what_was_not_attached_has_its_default():
    report = a_report()
    attach(report, status="captured")
    assert attached(report) == ReportData("captured")


def test_what_no_report_holds_can_not_be_attached():
    with pytest.raises(TypeError, match="statis"):
        attach(a_report(), statis="passed")


def test_what_is_attached_later_keeps_what_was_attached_before():
    report = a_report()
    assert attached(report) is None
    attach(report, status="passed", case=CASE)
    attach(report, replies=REPLIES)
    attach(report, status="same error")
    assert attached(report) == ReportData("same error", CASE, REPLIES)


def test_usage_is_summed_by_module_and_model():
    one, free = CallUsage(1, 1, 10, 5, 0.5), CallUsage(2, 0, 1, 1, None)
    parts = [ModuleUsage("b", "m", one), ModuleUsage("a", "m", one), ModuleUsage("b", "m", free)]
    assert by_module(parts) == (
        ModuleUsage("a", "m", one),
        ModuleUsage("b", "m", CallUsage(3, 1, 11, 6, None)),
    )
    assert (one + one).cost == 1.0
    assert one.tokens == 15
