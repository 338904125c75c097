"""Cases keep their names whatever other plugins make of node ids and workers."""

from __future__ import annotations

import json

import pytest
from gate_project import LOCK, TESTS, WORDS, lock_text, write_gate

RENAMING = """
def pytest_itemcollected(item):  # as pytest-xdist does for `--dist loadgroup`
    item._nodeid = f"{item.nodeid}@group"
"""


def test_a_case_whose_node_id_a_plugin_changed_is_the_same_case(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-update-lock")
    before = lock_text(pytester)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + RENAMING)
    assert pytester.runpytest("--mipro-update-lock").ret == 0
    assert lock_text(pytester) == before
    assert [case["id"] for case in json.loads(before)["cases"]] == [
        f"test_say[{word}]" for word in sorted(WORDS)
    ]


def test_cases_of_one_group_are_judged_as_one_test(pytester):
    pytest.importorskip("xdist")
    write_gate(pytester, TESTS.replace("@cases", '@pytest.mark.xdist_group("db")\n@cases'))
    result = pytester.runpytest("-n1", "--dist=loadgroup")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_say  0.167 (*)  6 cases  5 missed*"])


def test_two_cases_of_one_node_id_are_refused(pytester):
    write_gate(
        pytester,
        TESTS.replace(
            '@cases("words.jsonl")\ndef test_say(text):',
            '@pytest.mark.parametrize("text", ["b-c", "c"])\n'
            '@pytest.mark.parametrize("tone", ["a", "a-b"])\ndef test_say(tone, text):',
        ),
    )
    result = pytester.runpytest()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["test_words.py::test_say?*: 2 cases have this node id*"])


def test_environments_have_no_verdict_together(pytester):
    pytest.importorskip("xdist")
    write_gate(pytester)
    result = pytester.runpytest("--dist=each", "--tx=2*popen")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*--dist each runs a case in several environments*"])
    assert "INCOMPLETE: 6 cases had an error" in result.stdout.str()


HELD_OUT = """
import pytest
from pipeline import say

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("index", range(80))
def test_say(index): return 1.0

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("other", range(80))
def test_other(other): return 1.0
"""


def test_a_part_of_a_study_has_no_holdout(pytester):
    """Which rows are held out is a matter of them all."""
    write_gate(pytester, HELD_OUT, ini="mipro_gate_on = holdout\n")
    whole = pytester.runpytest()
    whole.stdout.fnmatch_lines(["*holdout 1.000*which is judged"])
    part = pytester.runpytest("-k", "test_other")
    assert part.ret == 1
    part.stdout.fnmatch_lines(
        ["*INCOMPLETE: mipro_gate_on=holdout: only part of the study is run*"]
    )
    part.stdout.no_fnmatch_line("*holdout 1.000*")
    assert LOCK not in part.stdout.str()
