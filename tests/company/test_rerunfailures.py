"""pytest-rerunfailures: the last run of a case counts; a study that stopped is not run again."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_rerunfailures")

FLAKY = """
    import pathlib
    seen = pathlib.Path(f"seen{number}")
    if number == 3 and not seen.exists():
        seen.touch()
        raise RuntimeError("flaky")
"""


def test_the_last_run_of_a_case_counts(company):
    company.write(body=FLAKY.strip())
    result = company.run("--reruns=1")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 6, "missed": 35, "rerun": 1}
    result.stdout.fnmatch_lines(["*100%]*", "test_parity  0.125 (*)  40 cases  35 missed*"])
    company.left_only_cases()
    assert not company.cached("lastfailed")


def test_a_case_that_fails_each_time_is_one_failure(company):
    company.write(body="if number == 3: raise RuntimeError('broken')")
    result = company.run("--reruns=2")
    assert result.ret == 1
    assert result.parseoutcomes()["rerun"] == 2
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case *"])
    assert company.cached("lastfailed") == {"test_numbers.py::test_parity[3]": True}


def test_missed_cases_are_not_run_again(company, mode):
    company.write()
    result = company.run(*mode, "--reruns=1")
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)


@pytest.mark.parametrize("loaded", [(), ("-p", "no:rerunfailures", "-p", "pytest_rerunfailures")])
def test_a_stopped_study_is_not_run_again(company, monkeypatch, loaded):
    company.write()
    monkeypatch.setenv("MIPRO_TEST_CALLS", "5")
    result = company.run(*company.optimizing, *loaded, "--reruns=2")
    assert result.ret == 1
    assert result.parseoutcomes() == {"captured": 40, "failed": 1}
    company.left_only_cases()
