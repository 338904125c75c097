"""The gate under pytest-xdist: the controller judges what the workers measured."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pytest_mipro.plugin.hooks import _stopped

Interrupted = pytest.importorskip("xdist.dsession").Interrupted

SOURCE = """
@pytest.mark.mipro(threshold={threshold})
@pytest.mark.parametrize("text", ["one", "two", "three", "four", {last!r}])
def test_echo(text): assert echo(text=text) != "one"
"""


@pytest.mark.parametrize(
    ("workers", "threshold", "status"), [("-n0", 0.8, 0), ("-n0", 0.9, 1), ("-n2", 0.9, 1)]
)
def test_the_verdict_is_the_same(pytester, desk, workers, threshold, status):
    desk(SOURCE.format(threshold=threshold, last="five"))
    result = pytester.runpytest(workers, "--junitxml=out.xml")
    assert result.ret == status
    words = "passed: threshold 0.80 reached"
    if status:
        words = "FAILED: mean 0.80 is below the threshold 0.90 by 0.10"
        result.stdout.fnmatch_lines(["FAILED test_desk.py::test_echo - mean 0.80 is below*"])
    result.stdout.fnmatch_lines(
        [
            "*- mipro: test_desk.py -*",
            "test_echo  0.800 (0.38 to 0.96)  5 cases  1 missed",
            f"*{words}",
            "5 LM calls: 0 cached, 5 live; *",
        ]
    )
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names.count("test_echo") == 1
    assert len(names) == 6
    assert suite.get("failures") == str(status)


def test_an_error_of_the_world_makes_it_incomplete(pytester, desk):
    desk(SOURCE.format(threshold=0.5, last="down"))
    result = pytester.runpytest("-n1")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case had an error"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_a_run_that_a_failure_stops_is_judged_as_far_as_it_came(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("text", ["down", *map(str, range(40))])
def test_echo(text): assert echo(text=text) == text
""")
    result = pytester.runpytest("-n1", "-x")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case had an error*"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("stopping after 1 failures", "stopping after 1 failures"),
        ("<WorkerController gw0> received keyboard-interrupt", ""),
    ],
)
def test_a_worker_that_is_interrupted_is_no_stop_by_an_option(request, text, why):
    assert _stopped(request.session, Interrupted(text)) == why


def test_a_dead_worker_makes_it_incomplete(pytester, desk):
    desk("""
import os
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["one", "two", "die"])
def test_echo(text):
    if text == "die": os._exit(1)
""")
    result = pytester.runpytest("-n1")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case did not run"])


def test_a_refused_test_is_a_collection_error(pytester, desk):
    desk(
        "@pytest.mark.mipro(treshold=1)\ndef test_echo(): pass",
        test_more="@pytest.mark.mipro\ndef test_parts(subtests): pass",
        test_unit="import unittest\n@pytest.mark.mipro\nclass TestDesk(unittest.TestCase):\n"
        "    def test_echo(self): pass",
    )
    result = pytester.runpytest("-n1")
    assert result.ret != 0
    for file in ("test_desk", "test_more", "test_unit"):
        result.stdout.fnmatch_lines([f"*{file}.py*: @pytest.mark.mipro: *"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_broken_lock_is_told_in_one_line(pytester, desk):
    desk(SOURCE.format(threshold=0.5, last="five"))
    (pytester.path / "test_desk.mipro.json").write_text("{\n")
    result = pytester.runpytest("-n1")
    assert result.ret != 0
    text = result.stdout.str() + result.stderr.str()
    assert "test_desk.mipro.json:" in text
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text


def test_without_marked_tests_nothing_is_said(pytester, desk):
    desk("def test_one(): pass")
    result = pytester.runpytest("-n1")
    assert result.parseoutcomes() == {"passed": 1}
    result.stdout.no_fnmatch_line("*mipro:*")


def test_two_studies_of_one_lock_are_told_by_their_tests(pytester, desk):
    desk(
        SOURCE.format(threshold=0.5, last="five"),
        test_other="@pytest.mark.mipro(study='test_desk')\ndef test_one(): pass",
    )
    result = pytester.runpytest("-n1")
    assert result.parseoutcomes() == {"errors": 6}
    result.stdout.fnmatch_lines(["*study 'test_desk'*have one lock, test_desk.mipro.json; rename*"])
    plain = pytester.runpytest()
    assert plain.ret == pytest.ExitCode.USAGE_ERROR
    plain.stderr.fnmatch_lines(["ERROR: *have one lock, test_desk.mipro.json; rename the study"])
