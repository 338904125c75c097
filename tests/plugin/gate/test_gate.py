"""The plain run: one verdict a test, exit codes, the summary block, what reports carry."""

from __future__ import annotations

import json

import pytest
from numbers_desk import NUMBERS


def test_a_reached_threshold_passes_and_shows_the_missed_case(pytester, desk):
    desk(NUMBERS.format(threshold=0.75))
    result = pytester.runpytest()
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 4, "missed": 1}  # three cases and the verdict
    result.stdout.re_match_lines([r"test_desk.py m\.\.\. +\[100%\]"])
    result.stdout.fnmatch_lines(
        [
            "*- mipro: test_desk.py -*",
            "test_echo  0.750 (0.27 to 0.94)  4 cases  1 missed",
            "*passed: threshold 0.75 reached",
            "4 LM calls: 1 cached, 3 live; * tokens",
        ]
    )


def test_a_threshold_above_what_is_reached_fails_with_the_reason(pytester, desk):
    desk(NUMBERS.format(threshold=0.8))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"passed": 3, "missed": 1, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            "*_ verdict on test_echo _*",
            "mean 0.75 is below the threshold 0.80 by 0.05",
            "too few cases to tell 0.75 from 0.80: 4 cases detect a distance of 0.39",
            "missed: 1 case",
            "  one  0.00  got 'two', wanted 'one'",
            "      - pipeline.echo: two",
            "*FAILED: mean 0.75 is below the threshold 0.80 by 0.05",
            "FAILED test_desk.py::test_echo - mean 0.75 is below*",
        ]
    )


def test_a_verbose_run_names_missed_cases(pytester, desk):
    desk(NUMBERS.format(threshold=0.75))
    result = pytester.runpytest("-v")
    result.stdout.fnmatch_lines(["*test_echo?one? MISSED*", "*test_echo?four? PASSED*100%]"])


def test_without_a_threshold_each_case_passes_by_itself(pytester, desk):
    desk(NUMBERS.replace("(threshold={threshold})", ""))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 3, "failed": 1}
    result.stdout.fnmatch_lines(
        [
            ">       assert echo(text=*",
            "E       AssertionError: assert 'two' == 'one'",
            "FAILED test_desk.py::test_echo?one? - *assert 'two' == 'one'*",
        ]
    )


def test_the_mean_decides_not_the_share_of_passing_cases(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("value", [0.5, 0.6])
def test_graded(value): return Score(value, feedback=f"only {value}")
""")
    result = pytester.runpytest()
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1, "missed": 2}


def test_the_pass_score_decides_what_is_missed(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5, pass_score=0.6)
@pytest.mark.parametrize("value", [0.5, 0.6])
def test_graded(value): return value
""")
    assert pytester.runpytest().parseoutcomes() == {"passed": 2, "missed": 1}


def test_with_confidence_the_lower_bound_must_reach_the_threshold(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.9, confidence=0.95)
@pytest.mark.parametrize("index", range(10))
def test_sure(index): assert echo(text=str(index)) == str(index)
""")
    result = pytester.runpytest()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["lower bound at 0.95 confidence 0.79 is below the threshold 0.90*"]
    )


def test_without_the_terminal_the_verdict_still_decides(pytester, desk):
    desk(NUMBERS.format(threshold=0.8))
    result = pytester.runpytest("-p", "no:terminal")
    assert result.ret == 1


def test_studies_have_blocks_of_their_own(pytester, desk):
    desk(NUMBERS.format(threshold=0.5), test_other=NUMBERS.format(threshold=0.6))
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["*- mipro: test_desk.py -*", "*- mipro: test_other.py -*"])


def test_a_named_study_joins_files_in_one_block(pytester, desk):
    source = NUMBERS.format(threshold='0.5, study="triage"')
    desk(source, test_other=source)
    result = pytester.runpytest()
    lines = result.stdout.lines
    assert sum("- mipro:" in line for line in lines) == 1
    result.stdout.fnmatch_lines(
        ["*- mipro: triage -*", "test_desk.py::test_echo*", "test_other.py::test_echo*"]
    )


def test_every_line_of_the_block_fits_80_columns(pytester, desk):
    long = "test_with_a_name_that_says_all_that_there_is_to_say_about_it_and_more"
    desk(NUMBERS.format(threshold=0.9).replace("test_echo", long))
    result = pytester.runpytest()
    lines = result.stdout.lines
    start = next(n for n, line in enumerate(lines) if "- mipro:" in line)
    end = next(n for n, line in enumerate(lines) if "short test summary" in line)
    # Separators are as wide as the terminal.
    assert max(len(line) for line in lines[start:end] if not line.startswith("----")) <= 80


def test_collect_only_measures_nothing(pytester, desk):
    desk(NUMBERS.format(threshold=0.8))
    result = pytester.runpytest("--collect-only")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*mipro:*")


@pytest.mark.parametrize(("option", "code"), [("-x", 1), ("--maxfail=1", 1), ("--stepwise", 2)])
def test_a_case_that_did_not_run_makes_the_verdict_incomplete(pytester, desk, option, code):
    desk("""
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("text", ["a", "down", "b"])
def test_echo(text): assert echo(text=text) == text
""")
    result = pytester.runpytest(option)
    assert result.ret == code
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case had an error, 1 case did not run"])


def test_a_rerun_replaces_the_result_before(pytester, desk):
    desk("""
import pathlib
@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("text", ["a", "b"])
def test_flaky(text):
    seen = pathlib.Path(f"seen-{text}")
    if not seen.exists():
        seen.touch()
        raise RuntimeError("not yet")
    assert echo(text=text) == text
""")
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):  # what pytest-rerunfailures does
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        if report.failed:
            report.outcome = "rerun"
        item.ihook.pytest_runtest_logreport(report=report)
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_flaky  1.000 (*)  2 cases*"])


def test_reports_carry_json(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
def pytest_runtest_logreport(report):
    if hasattr(report, "mipro"):
        print("attached", report.mipro["status"])
""")
    result = pytester.runpytest("-s")
    lines = [line.partition("attached ")[2] for line in result.stdout.lines]
    statuses = [json.loads(line) for line in lines if line]
    assert statuses == ["missed", "passed", "passed", "passed", "silent", "silent"]
