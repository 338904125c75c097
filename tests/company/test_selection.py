"""-k, -x and --maxfail: what is not run makes a verdict incomplete or a study partial."""

from __future__ import annotations

import pytest

BROKEN = "if number in (3, 5): raise RuntimeError('broken')"
UNPREPARED = """

import pytest

@pytest.fixture
def prepared(number):
    if number in (3, 5): raise RuntimeError("broken")
"""


def test_a_part_has_no_verdict_and_writes_nothing(company, mode):
    company.write(threshold=0.9)
    result = company.run(*mode, "-k", "parity[8] or parity[9]")
    if mode:
        assert result.parseoutcomes()["captured"] == 2
        assert not (company.pytester.path / "test_numbers.mipro.json").exists()
    else:
        assert result.ret == 0
        assert result.parseoutcomes() == {"passed": 2, "deselected": 38}
        result.stdout.fnmatch_lines(["*2 of 40 cases: no verdict"])
    company.left_only_cases()


def test_all_cases_by_name_are_no_part(company, mode):
    company.write()
    result = company.run(*mode, "-k", "parity")
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)


@pytest.mark.parametrize(("option", "failed"), [("-x", 1), ("--maxfail=2", 2)])
def test_a_gate_that_ends_early_is_incomplete(company, option, failed):
    company.write(body=BROKEN)
    result = company.run(option)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["failed"] == failed + 1
    result.stdout.fnmatch_lines(["*INCOMPLETE: *", "*stopping after * failures*"])
    company.left_only_cases()


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_missed_cases_end_nothing(company, mode, option):
    company.write()
    result = company.run(*mode, option)
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(mode)
    result.stdout.fnmatch_lines(["*100%]"])


def test_a_failed_set_up_ends_the_run_before_the_study(company):
    company.write(fixtures=", prepared", conftest=UNPREPARED)
    result = company.run(*company.optimizing, "-x", "-o", "mipro_rerun_safe=prepared")
    assert result.ret == 1
    assert result.parseoutcomes() == {"captured": 3, "errors": 1}
    assert not (company.pytester.path / "calls.txt").exists()
    company.left_only_cases()
