"""The plain run: one verdict a test, exit codes, summary block, JUnit XML, lastfailed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, dump_lock
from pytest_mipro.runtime.settings import current_settings

NUMBERS = """
@pytest.mark.mipro(threshold={threshold})
@pytest.mark.parametrize("wanted", ["one", "two", "three", "four"])
def test_echo(wanted):
    assert echo(text="two" if wanted == "one" else wanted) == wanted
"""


def digest_of(**columns):
    return content_digest(columns)


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


def test_the_verdict_is_a_test_case_of_junit_xml(pytester, desk):
    desk(NUMBERS.format(threshold=0.8))
    pytester.runpytest("--junitxml=out.xml")
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == {
        "test_echo",
        *(f"test_echo[{w}]" for w in ("one", "two", "three", "four")),
    }
    failure = cases["test_echo"].find("failure")
    assert failure is not None
    assert failure.get("message") == "mean 0.75 is below the threshold 0.80 by 0.05"
    assert cases["test_echo[one]"].find("failure") is None


def test_a_passing_verdict_stands_in_junit_xml_too(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    pytester.runpytest("--junitxml=out.xml")
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    assert suite.get("failures") == "0"
    assert "test_echo" in [case.get("name") for case in suite.iter("testcase")]


def test_a_test_of_one_case_has_a_verdict_of_its_own_name(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
def test_one(): assert echo(text="a") == "b"
""")
    result = pytester.runpytest("--junitxml=out.xml")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED test_desk.py::test_one?verdict? - mean 0.00 *"])
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    assert [c.get("name") for c in suite.iter("testcase")] == ["test_one", "test_one[verdict]"]


@pytest.mark.parametrize("threshold", [0.75, 0.8])
def test_neither_verdicts_nor_missed_cases_stay_in_lastfailed(pytester, desk, threshold):
    desk(NUMBERS.format(threshold=threshold))
    pytester.runpytest()
    assert not (pytester.path / ".pytest_cache/v/cache/lastfailed").exists()
    again = pytester.runpytest("--lf")
    assert again.parseoutcomes()["missed"] == 1  # nothing failed: all of it runs


def test_the_second_run_asks_nothing(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    pytester.runpytest()
    assert (pytester.path / "calls.txt").read_text() == "3"
    (pytester.path / "calls.txt").unlink()
    result = pytester.runpytest()
    assert not (pytester.path / "calls.txt").exists()
    result.stdout.fnmatch_lines(["4 LM calls: 4 cached, 0 live; * tokens"])


def test_nothing_is_on_disk_before_the_first_call(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
def test_without_model(): return 1.0
""")
    pytester.runpytest("-p", "no:cacheprovider")
    assert not (pytester.path / ".mipro").exists()


def test_the_cache_lies_in_the_folder_of_the_ini_file(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    inner = pytester.mkdir("elsewhere")
    pytester.runpytest(f"--rootdir={inner}", f"-c{pytester.path / 'tox.ini'}")
    assert (pytester.path / ".mipro/cache").is_dir()
    assert (pytester.path / ".mipro/usage").is_dir()
    assert (pytester.path / ".mipro/.gitignore").read_text() == "*\n"
    assert not (inner / ".mipro").exists()


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


def test_a_case_that_did_not_run_makes_the_verdict_incomplete(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("text", ["a", "down", "b"])
def test_echo(text): assert echo(text=text) == text
""")
    result = pytester.runpytest("-x")
    assert result.ret == 1
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


def test_the_run_restores_the_settings_of_a_longer_process(pytester, desk):
    before = current_settings()
    desk(NUMBERS.format(threshold=0.5))
    pytester.runpytest_inprocess("--mipro-model=test/other")
    assert current_settings() == before


def test_module_calls_outside_cases_are_served_by_the_same_client(pytester, desk):
    desk("""
@pytest.fixture(scope="module")
def greeting(): return echo(text="hello")

def test_unmarked(): assert echo(text="hello") == "hello"

@pytest.mark.mipro
def test_fixture(greeting): assert greeting == "hello"
""")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 2}
    assert (pytester.path / "calls.txt").read_text() == "1"


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
    result.stdout.fnmatch_lines(["*no lock to compare with*"])


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
