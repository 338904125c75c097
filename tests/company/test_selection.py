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


TWICE = "def pytest_collection_modifyitems(items): items += items"


@pytest.mark.parametrize("conftest", ["", TWICE], ids=["kept", "by a hook"])
def test_a_case_that_comes_twice_is_one(company, mode, conftest):
    company.write(conftest=conftest)
    paths = [] if conftest else ["--keep-duplicates", "test_numbers.py", "test_numbers.py"]
    result = company.run(*mode, *paths)
    assert result.ret == 0
    outcomes = result.parseoutcomes()
    assert outcomes.get("captured") == (40 if mode else None)
    assert outcomes["passed"] == (1 if mode else 2 * 5 + 1)  # the verdict, or the study, is one
    assert not mode or "on 40 cases of 40 rows" in result.stdout.str()


def test_a_part_that_comes_twice_is_a_part(company):
    company.write()
    paths = ["test_numbers.py"] * 14  # 3 cases, 42 items
    result = company.run("--keep-duplicates", "-k", "[3] or [13] or [23]", *paths)
    result.stdout.fnmatch_lines(["*3 of 40 cases: no verdict*"])
