"""The plain run beside a lock: what is compared with it, and a fall that fails."""

from __future__ import annotations

import pytest
from numbers_desk import NUMBERS

from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, dump_lock


def digest_of(**columns):
    return content_digest(columns)


def test_the_lock_of_a_named_study_lies_beside_its_first_file_whatever_was_selected(pytester, desk):
    source = NUMBERS.format(threshold='0.5, study="triage"')
    desk(source, test_other=source.replace("test_echo", "test_more"))
    (pytester.path / "z").mkdir()
    (pytester.path / "test_other.py").rename(pytester.path / "z/test_other.py")
    name = "z/test_other.py::test_more"
    case = LockedCase(f"{name}[one]", name, "r", digest_of(wanted="one"), 1.0)
    (pytester.path / "triage.mipro.json").write_text(dump_lock(Lock("s", 0, 9, cases=(case,))))
    result = pytester.runpytest("-k", "more")
    result.stdout.fnmatch_lines(["*-1.000 (*) against the lock: 1 regressed; 3 cases not in it"])


def test_the_gate_reads_the_lock_for_the_difference(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    cases = tuple(
        LockedCase(f"test_echo[{word}]", "test_echo", word, digest_of(wanted=word), score)
        for word, score in (("one", 0.0), ("two", 0.0), ("three", 1.0), ("gone", 1.0))
    )
    (pytester.path / "test_desk.mipro.json").write_text(dump_lock(Lock("s", 0, 9, cases=cases)))
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(
        ["    +0.333 (-0.86 to +0.83) against the lock: 1 improved; 1 case not in it"]
    )


REGRESSION = """
@pytest.mark.mipro(max_regression=0.1)
@pytest.mark.parametrize("index", range(20))
def test_echo(index): return 1.0 if index >= {bad} else 0.0
"""


@pytest.mark.parametrize(("bad", "status"), [(0, 0), (2, 0), (10, 1)])
def test_a_fall_below_the_lock_fails(pytester, desk, bad, status):
    desk(REGRESSION.format(bad=bad))
    cases = tuple(
        LockedCase(f"test_echo[{n}]", "test_echo", str(n), digest_of(index=n), 1.0)
        for n in range(20)
    )
    (pytester.path / "test_desk.mipro.json").write_text(dump_lock(Lock("s", 0, 9, cases=cases)))
    result = pytester.runpytest()
    assert result.ret == status
    if status:
        result.stdout.fnmatch_lines(
            ["*FAILED: the mean fell by 0.50 against the lock, surely by 0.27, above 0.10"]
        )


def test_a_missing_lock_is_no_error(pytester, desk):
    desk(REGRESSION.format(bad=0))
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*passed: max_regression not judged: no lock to compare with"])


def test_a_lock_without_one_of_today_s_cases_is_incomplete_until_it_is_renewed(pytester, desk):
    desk(REGRESSION.format(bad=0))
    assert pytester.runpytest("--mipro-update-lock").ret == 0
    desk(REGRESSION.format(bad=0).replace("range(20)", "range(20, 40)"))
    result = pytester.runpytest()
    assert result.ret == 1
    text = " ".join(result.stdout.str().split())
    assert "INCOMPLETE: max_regression not judged: no case in common with the lock; `pytest" in text
    result = pytester.runpytest("--mipro-update-lock")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["wrote *: the scores of 20 *"])
    assert pytester.runpytest().ret == 0
