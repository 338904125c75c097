"""Exit codes as pytest means them: what a CI can branch on."""

from __future__ import annotations

import pytest
from gate_project import LOCK, TESTS, write_gate, write_prompt

ARGUMENTS = {
    "misuse of an option": ("--mipro-seed=-1",),
    "misuse of options": ("--mipro-update-lock", "--mipro-optimize"),
    "misuse of a path": ("--mipro-json=conftest.py/x",),
}


@pytest.mark.parametrize(("threshold", "code"), [("0.1", 0), ("0.9", 1)])
def test_the_verdict_decides(pytester, threshold, code):
    write_gate(pytester, TESTS.replace("0.1", threshold))
    assert pytester.runpytest().ret == code


def test_an_incomplete_verdict_is_1(pytester):
    write_gate(pytester, words=("one", "down"))
    assert pytester.runpytest().ret == 1


@pytest.mark.parametrize("what", ["mark", "case file", "lock"])
def test_a_collection_error_is_2(pytester, what):
    write_gate(pytester, TESTS.replace("threshold", "treshold") if what == "mark" else TESTS)
    if what == "case file":
        (pytester.path / "words.jsonl").write_text("{\n")
    if what == "lock":
        (pytester.path / LOCK).write_text("{\n")
    assert pytester.runpytest().ret == 2


def test_a_collection_error_on_workers_is_xdist_s_own_1(pytester):
    write_gate(pytester)
    (pytester.path / "words.jsonl").write_text("{\n")
    result = pytester.runpytest("-n2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["words.jsonl:1: not one JSON value: *"])


@pytest.mark.parametrize("what", ARGUMENTS)
def test_misuse_is_4(pytester, what):
    write_gate(pytester)
    result = pytester.runpytest(*ARGUMENTS[what])
    assert result.ret == 4
    assert len([line for line in result.stderr.lines if line.startswith("ERROR: ")]) == 1


def test_no_test_is_5(pytester):
    write_gate(pytester)
    assert pytester.runpytest("-k", "nothing").ret == 5


def test_strictness_is_1(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-update-lock")
    write_prompt(pytester, "Say the word loudly.")
    assert pytester.runpytest().ret == 0
    assert pytester.runpytest("--mipro-strict").ret == 1
