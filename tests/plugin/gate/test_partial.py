"""A run of part of a test's cases: each is judged by itself, and there is no verdict."""

from __future__ import annotations

import sys

import pytest

SOURCE = """
@pytest.mark.mipro(threshold=0.9)
@pytest.mark.parametrize("text", ["one", "two", "three"])
def test_echo(text): assert echo(text=text) != "one"
"""


@pytest.mark.parametrize(
    "args",
    [
        ("-k", "one or two"),
        ("test_desk.py::test_echo[one]", "test_desk.py::test_echo[two]"),
        ("--deselect", "test_desk.py::test_echo[three]"),
    ],
)
def test_a_missed_case_fails_as_an_ordinary_test(pytester, desk, args):
    desk(SOURCE)
    result = pytester.runpytest(*args)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1, deselected=1 if args[0].startswith("-") else 0)
    result.stdout.fnmatch_lines(
        [
            ">   def test_echo(text): assert echo(text=text) != *",
            "E   *AssertionError: assert 'one' != 'one'",
            "test_echo  0.500 (*)  2 cases  1 missed  2 of 3 cases: no verdict",
            "FAILED test_desk.py::test_echo?one? - *",
        ]
    )


def test_what_failed_last_runs_alone(pytester, desk):
    desk(SOURCE)
    pytester.runpytest("-k", "one or two")
    result = pytester.runpytest("--lf")
    assert result.ret == 1
    result.assert_outcomes(failed=1, deselected=1 if "deselected" in result.stdout.str() else 0)


def test_a_passing_part_passes_without_a_verdict(pytester, desk):
    desk(SOURCE)
    result = pytester.runpytest("-k", "two or three")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 2, "deselected": 1}


def test_a_selection_that_holds_the_whole_test_has_its_verdict(pytester, desk):
    desk(SOURCE + "\ndef test_other(): pass\n")
    result = pytester.runpytest("-k", "echo")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED test_desk.py::test_echo - mean 0.67 is below*"])


def test_the_lock_is_not_touched(pytester, desk):
    desk(SOURCE)
    lock = pytester.path / "test_desk.mipro.json"
    pytester.runpytest("-k", "one")
    pytester.runpytest()
    assert not lock.exists()


def test_pdb_stops_in_the_users_frame(pytester, desk):
    desk(SOURCE)
    command = (sys.executable, "-m", "pytest", "--pdb", "-k", "one")
    result = pytester.run(*command, stdin=b"p f'text is {text}'\nq\n")
    result.stdout.fnmatch_lines(["*entering PDB*", "*'text is one'"])


def test_all_items_deselected_is_no_run_of_ours(pytester, desk):
    desk(SOURCE + "\ndef test_other(): pass\n")
    result = pytester.runpytest("-k", "other")
    assert result.parseoutcomes() == {"passed": 1, "deselected": 3}
    result.stdout.no_fnmatch_line("*mipro:*")
