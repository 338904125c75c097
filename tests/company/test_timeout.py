"""pytest-timeout: its limit is one of single cases; a study as a whole has none."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_timeout")

SLOW = """

import time

def pytest_mipro_study_finished(config, result):
    time.sleep(1.2)
"""


def test_a_case_that_takes_too_long_is_told(company):
    company.write(body="if number == 3: __import__('time').sleep(30)")
    result = company.run("--timeout=1")
    assert result.parseoutcomes() == {"passed": 5, "missed": 34, "failed": 2}
    result.stdout.fnmatch_lines(
        ["*100%]*", "*3  error  Failed: Timeout (>1.0s) from pytest-timeout.*"]
    )
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case failed"])
    assert result.duration < 20
    company.left_only_cases()


@pytest.mark.parametrize("loaded", [(), ("-p", "no:timeout", "-p", "pytest_timeout")])
def test_a_study_may_take_longer_than_a_case(company, loaded):
    company.write(conftest=SLOW)
    result = company.run(*company.optimizing, *loaded, "--timeout=1")
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(company.optimizing)
