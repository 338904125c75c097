"""The rule against the lock: falls, chance, and locks that have nothing to compare."""

from __future__ import annotations

from dataclasses import replace

import pytest
from judged import lock_of, passing, results_of, verdict_on

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.gate.verdict.judge import Holdout
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase


def test_a_fall_fails_where_it_is_larger_and_sure():
    results, lock = passing(80, 100), lock_of([1.0] * 95 + [0.0] * 5)
    verdict = verdict_on(results, lock, max_regression=0.02)
    assert verdict.status == "failed"
    assert verdict.reason == "the mean fell by 0.15 against the lock, surely by 0.09, above 0.02"
    (rule,) = verdict.rules
    assert (rule.value, rule.limit) == (-verdict.comparison.lift.upper(0.95), 0.02)
    assert verdict_on(results, lock, max_regression=0.2).status == "passed"


def test_a_fall_is_tested_against_the_limit_at_the_marks_confidence():
    results, lock = passing(80, 100), lock_of([1.0] * 95 + [0.0] * 5)
    inside = verdict_on(results, lock, max_regression=0.1)
    assert inside.comparison.lift.high < 0  # a sure fall, but not surely above the limit
    assert inside.status == "passed"
    assert inside.reason == "the mean fell by 0.15 against the lock, which may be chance"
    unsure = verdict_on(results, lock, max_regression=0.1, confidence=0.8)
    assert unsure.status == "failed"
    assert verdict_on(results, lock, max_regression=0.06).status == "failed"
    assert verdict_on(results, lock, max_regression=0.06, confidence=0.9999).status == "passed"


def test_a_fall_that_may_be_chance_passes_and_says_so():
    results, lock = passing(9, 10), lock_of([1.0] * 10)
    verdict = verdict_on(results, lock, max_regression=0.02)
    assert verdict.status == "passed"
    assert verdict.reason == "the mean fell by 0.10 against the lock, which may be chance"
    (doubt,) = verdict.doubts
    assert doubt.startswith("too few cases to tell a fall of more than 0.02 from none: 10 rows")


def test_no_fall_on_few_rows_says_what_could_hide():
    few = verdict_on(passing(10, 10), lock_of([1.0] * 10), max_regression=0.02)
    (doubt,) = few.doubts
    assert doubt.startswith("too few cases to tell a fall of more than 0.02 from none: 10 rows")
    many = verdict_on(passing(400, 400), lock_of([1.0] * 400), max_regression=0.02)
    assert (many.reason, many.doubts) == ("no regression", ())


OTHER_TEST = Lock("s", 0, 1, cases=(LockedCase("test_y[zzz]", "test_y", "r", "", 1.0),))


@pytest.mark.parametrize(
    ("lock", "why"),
    [
        (None, "no lock to compare with"),
        (OTHER_TEST, "no case in common with the lock"),
    ],
)
def test_without_a_lock_of_the_test_there_is_nothing_to_compare(lock, why):
    verdict = verdict_on(passing(5, 5), lock, max_regression=0.0)
    assert (verdict.status, verdict.reason) == ("passed", f"max_regression not judged: {why}")
    assert verdict.rules == ()


def test_a_lock_that_has_only_other_cases_of_the_test_leaves_it_unjudged():
    case = LockedCase("test_x[zzz]", "test_x", "r", "", 1.0)
    verdict = verdict_on(passing(5, 5), Lock("s", 0, 1, cases=(case,)), max_regression=0.0)
    assert verdict.status == "incomplete"
    assert verdict.reason == (
        "max_regression not judged: no case in common with the lock; "
        "`pytest --mipro-update-lock` locks these scores"
    )
    skipped = Lock("s", 0, 1, cases=(replace(case, score=None),))  # where the lock was made
    assert verdict_on(passing(5, 5), skipped, max_regression=0.0).status == "passed"
    lock = Lock("s", 0, 1, cases=(case,))
    beside = verdict_on(passing(5, 5), lock, max_regression=0.0, threshold=0.5)
    assert (beside.status, beside.reason) == ("incomplete", verdict.reason)
    assert verdict_on(passing(5, 5), lock, threshold=0.5).status == "passed"
    failed = verdict_on(passing(2, 5), lock, max_regression=0.0, threshold=0.5)
    assert failed.reason == "mean 0.40 is below the threshold 0.50 by 0.10"


def test_changed_cases_come_with_the_worst_first_and_missed_ones_once():
    now = [0.0, 0.5, 1.0, 0.9, 0.2, 0.2]
    verdict = verdict_on(results_of(now), lock_of([0.5, 1.0, 0.0, 0.3, 0.2, 0.9]), threshold=0.1)
    found = verdict.comparison
    assert [c.result.id[-4:-1] for c in found.regressed] == ["005", "000", "001"]
    assert [c.result.id[-4:-1] for c in found.improved] == ["002", "003"]
    assert [r.id[-4:-1] for r in verdict.missed] == ["004", "003"]
    assert found.lift.mean == pytest.approx((sum(now) - 2.9) / 6)


def test_the_locks_scores_are_those_of_cases_that_are_not_judged_too():
    results, lock = passing(3, 4), lock_of([1.0, 0.5, None, 0.25])
    holdout = Holdout(frozenset({"row000"}))
    results[3] = replace(results[3], outcome=Outcome(None, error="no connection"))
    verdict = verdict_on(results, lock, holdout, gate_on="holdout")
    assert set(verdict.comparison.before) == {"test_x[000]"}
    assert verdict.locked == {"test_x[000]": 1.0, "test_x[001]": 0.5, "test_x[003]": 0.25}
    other = [replace(results[0], digest="new"), *results[1:]]
    assert "test_x[000]" not in verdict_on(other, lock_of([1.0] * 4, "old")).locked


def test_a_row_with_other_columns_is_another_case():
    results = results_of([0.0, 0.0, 1.0], digest="new")
    lock = lock_of([1.0, 1.0, 1.0], digest="old")
    cases = (*lock.cases[:2], replace(lock.cases[2], digest="new"))
    verdict = verdict_on(results, replace(lock, cases=cases), threshold=0.1)
    assert verdict.comparison.lift.rows == 1
    assert verdict.comparison.left_out == 2
    assert verdict.comparison.regressed == ()
    assert len(verdict.missed) == 2
