"""One mistake in many cases: told in full once, counted and reported for each case."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from gate_project import TESTS, write_gate, write_words

from pytest_mipro.plugin.gate.error_reports import cause_of, same_error_line

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n1"])
DOWN = ("one", "a=down", "b=down", "c=down", "d=down")


@pytest.fixture(autouse=True)
def _xdist() -> None:
    pytest.importorskip("xdist")


def test_a_cause_is_the_error_without_the_case() -> None:
    assert cause_of("test_a[7]", "test_a[7]: no key") == cause_of("test_a[8]", "test_a[8]: no key")
    assert cause_of("test_a[7]", "no key") != cause_of("test_a[7]", "no connection")


def test_what_was_said_is_said_in_a_line_with_its_place() -> None:
    assert same_error_line("no key", "t.py::a") == "no key (the same error as t.py::a)"
    assert same_error_line("x" * 200, "t.py::a") == f"{'x' * 100}… (the same error as t.py::a)"


@WORKERS
def test_the_first_case_tells_it_and_the_last_line_counts_all(pytester, workers):
    write_gate(pytester, words=DOWN)
    result = pytester.runpytest(workers, "-p", "no:randomly")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "passed": 1, "errors": 4}
    text = result.stdout.str()
    assert text.count("ERROR at call of") == 1
    assert text.count("\nERROR ") == 1
    result.stdout.fnmatch_lines(["FAILED test_words.py::test_say - incomplete: 4 cases *"])
    result.stdout.fnmatch_lines(["ERROR test_words.py::test_say[[]?] - the endpoint is down"])


def test_different_errors_are_told_each(pytester):
    tests = TESTS.replace("    assert say", "    if text == 'two': return 7.0\n    assert say")
    write_gate(pytester, tests, words=("one", "two", *DOWN[1:]))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"failed": 1, "passed": 1, "errors": 5}
    assert result.stdout.str().count("ERROR at call of") == 2


def test_each_case_is_a_failure_in_junit_and_points_to_the_first(pytester):
    write_gate(pytester, words=DOWN)
    pytester.runpytest("--junitxml=out.xml")
    suite = ET.parse(pytester.path / "out.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "5", "0")
    told = [
        str(failure.get("message"))
        for case in suite.iter("testcase")
        if case.get("name") != "test_say"
        for failure in case.iter("failure")
    ]
    assert sorted(text.partition(" (")[0] for text in told) == ["the endpoint is down"] * 4
    first = [text for text in told if "same error" not in text]
    assert len(first) == 1
    pointing = [text for text in told if "(the same error as test_words.py::test_say[" in text]
    assert len(pointing) == 3


def test_the_json_report_has_the_whole_error_of_each_case(pytester):
    write_gate(pytester, words=DOWN)
    pytester.runpytest("--mipro-json=out.json")
    text = (pytester.path / "out.json").read_text()
    assert "same error" not in text
    assert json.dumps(json.loads(text)).count('"status": "error"') == 4


def test_verbose_lines_name_each_case(pytester):
    write_gate(pytester, words=DOWN)
    result = pytester.runpytest("-v", "-p", "no:randomly")
    result.stdout.fnmatch_lines(["*test_say[[]a] ERROR*"])
    result.stdout.fnmatch_lines(["*test_say[[]b] SAME ERROR*"])


def test_every_case_is_kept_for_the_next_last_failed_run(pytester):
    write_gate(pytester, words=DOWN)
    pytester.runpytest()
    result = pytester.runpytest("--lf", "--collect-only", "-q")
    assert sorted(line for line in result.outlines if "::" in line) == [
        f"test_words.py::test_say[{case}]" for case in "abcd"
    ]


FLAKY = TESTS.replace(
    "    assert say",
    "    if text in RERUN and text not in SEEN:\n"
    "        SEEN.append(text)\n"
    "        return 7.0\n"
    "    assert say",
).replace("import pytest", "import pytest\nSEEN, RERUN = [], ['one', 'two']")


def test_an_error_that_a_later_run_of_the_case_mends_tells_nothing(pytester):
    pytest.importorskip("pytest_rerunfailures")
    write_gate(pytester, FLAKY)
    result = pytester.runpytest("-p", "pytest_rerunfailures", "--reruns=1")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 2, "missed": 5, "rerun": 2}
    assert "same error" not in result.stdout.str()


def test_a_case_that_stays_broken_tells_it_though_one_before_was_mended(pytester):
    pytest.importorskip("pytest_rerunfailures")
    tests = FLAKY.replace("text not in SEEN", "(text == 'two' or text not in SEEN)")
    write_gate(pytester, tests)
    result = pytester.runpytest("-p", "pytest_rerunfailures", "--reruns=1")
    assert result.parseoutcomes() == {
        "passed": 1,
        "missed": 4,
        "rerun": 2,
        "errors": 1,
        "failed": 1,
    }
    result.stdout.fnmatch_lines(["*ERROR at call of test_say[[]two] *"])
    assert "same error" not in result.stdout.str()


def test_a_second_session_in_the_process_tells_anew(pytester):
    write_gate(pytester, words=DOWN)
    for _ in range(2):
        result = pytester.runpytest_inprocess()
        assert result.stdout.str().count("ERROR at call of") == 1
        write_words(pytester, DOWN)
