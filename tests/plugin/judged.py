"""Made results of a test, and the verdict on them."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.plan import TestPlan
from pytest_mipro.plugin.gate.verdict.judge import Holdout, Reference, judge
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase
from pytest_mipro.plugin.measuring.report_data import CaseResult

NO_HOLDOUT = Holdout(frozenset(), "the study has 0 holdout rows of the 30 that it needs")
PLAN = TestPlan(
    nodeid="test_desk.py::test_x",
    name="test_x",
    study="test_desk.py",
    lock="test_desk.mipro.json",
    threshold=None,
    max_regression=None,
    confidence=None,
    pass_score=1.0,
    repeats=1,
    expected=0,
    selected=0,
)


def plan_of(results, **changes):
    return replace(PLAN, expected=len(results), selected=len(results), **changes)


def results_of(scores, **fields):
    return [
        CaseResult(f"test_x[{n:03}]", f"row{n:03}", Outcome(score), **fields)
        for n, score in enumerate(scores)
    ]


def passing(good, n):
    return results_of([1.0] * good + [0.0] * (n - good))


def lock_of(scores, digest=""):
    cases = (
        LockedCase(f"test_x[{n:03}]", "test_x", f"row{n:03}", digest, score)
        for n, score in enumerate(scores)
    )
    return Lock("", 0, 1, cases=tuple(cases))


def verdict_on(results, lock=None, holdout=NO_HOLDOUT, gate_on="all", **mark):
    return judge(plan_of(results, **mark), results, Reference(lock, holdout, gate_on))


def rule(verdict, name):
    return next(rule for rule in verdict.rules if rule.name == name)
