"""Marks of single rows: what holds for the whole test must be the same for all of them."""

from __future__ import annotations

import pytest
from gate_project import CONFTEST, TESTS, write_gate

ROWS = """
import pytest
from pipeline import say

def row(word, **arguments):
    return pytest.param(word, marks=pytest.mark.mipro(**arguments)) if arguments else word

@pytest.mark.mipro(threshold=0.9)
@pytest.mark.parametrize("word", [ROWS])
def test_say(word):
    assert say(text=word) == word.upper()
"""


def rows(pytester: pytest.Pytester, text: str) -> None:
    write_gate(pytester, ROWS.replace("ROWS", text))


def refused_line(result: pytest.RunResult) -> str:
    """Return the one line of a refusal, which must be the same on a worker."""
    assert result.ret == pytest.ExitCode.INTERRUPTED
    (line,) = {line for line in result.outlines if line.startswith("test_words.py::test_say: ")}
    return line


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('row("one", threshold=0.1), "two"', "threshold * is 0.9, and 0.1 for [[]one]"),
        ('"one", row("two", threshold=0.1)', "threshold * is 0.9, and 0.1 for [[]two]"),
        ('"one", row("two", threshold=None)', "threshold * is 0.9, and None for [[]two]"),
        ('row("one", max_regression=0.1), "two"', "max_regression * is 0.1, and None for [[]two]"),
        ('"one", row("two", max_regression=0.1)', "max_regression * is None, and 0.1 for [[]two]"),
        ('"one", row("two", repeats=2)', "repeats * is 1, and 2 for [[]two]"),
        ('"one", row("two", study="other")', "study * is None, and 'other' for [[]two]"),
        (
            'row("one", labels={"say": "word"}), row("two", labels={"say": "id"})',
            "labels[[]'say'] * is 'word', and 'id' for [[]two]",
        ),
    ],
)
def test_arguments_that_differ_between_rows_are_refused(pytester, given, told):
    rows(pytester, given)
    line = refused_line(pytester.runpytest())
    remedy = "put it on the test function, its class or its file"
    pytest.LineMatcher([line]).fnmatch_lines([f"*@pytest.mark.mipro: {told}; {remedy}"])


def test_the_rows_that_are_selected_do_not_matter(pytester):
    rows(pytester, 'row("one", threshold=0.1), "two", "three"')
    assert refused_line(pytester.runpytest("-k", "two or three"))


@pytest.mark.parametrize(
    "given",
    [
        'row("one", threshold=0.9), "one"',
        'row("one", concurrent=False), row("one", rerun_safe=["desk"])',
        'row("one", labels={"say": "word"}), row("one", labels={"other": "word"}), "one"',
    ],
)
def test_what_a_row_may_say_for_itself_is_accepted(pytester, given):
    rows(pytester, given)
    assert pytester.runpytest().ret == 0


def test_a_hook_that_marks_one_row_is_refused(pytester):
    write_gate(pytester, TESTS)
    late = "    items[0].add_marker(pytest.mark.mipro(repeats=2))\n"
    pytester.makeconftest(
        f"{CONFTEST}\nimport pytest\ndef pytest_collection_modifyitems(items):\n{late}"
    )
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *: repeats holds for the whole test, but is 2, and 1 for *"]
    )


def test_a_group_that_is_no_column_is_a_collection_error(pytester):
    write_gate(pytester, TESTS.replace("threshold=0.1", 'threshold=0.1, group="nope"'))
    line = refused_line(pytester.runpytest())
    assert line.endswith("group='nope' is no column of its cases; columns: id, text")


def test_a_group_that_the_selected_rows_lack_is_no_unknown_one(pytester):
    write_gate(pytester, TESTS.replace("threshold=0.1", 'threshold=0.1, group="kind"'))
    rows = '{"id": "one", "text": "one", "kind": "a"}\n{"id": "two", "text": "ONE"}\n'
    (pytester.path / "words.jsonl").write_text(rows)
    pytester.runpytest("-k", "two").assert_outcomes(passed=1, deselected=1)
