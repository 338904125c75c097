"""Feedback of a comparison: what the program gave and what the test wanted, by the trace."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import pytest

from pytest_mipro.plugin.measuring.feedback import ComparisonHook, not_asked, noting_comparisons


class Queue(enum.Enum):
    BUG = "bug"


def told(
    operator: str,
    left: object,
    right: object,
    outputs: Sequence[object],
    given: Sequence[object] = (),
) -> str:
    with noting_comparisons() as notes:
        ComparisonHook().pytest_assertrepr_compare(operator, left, right)
    return notes[-1].told(outputs, given)


@pytest.mark.parametrize(
    ("left", "right", "outputs"),
    [
        ("bug", "billing", ["a summary", "bug"]),
        ("bug", "billing", [{"queue": "bug", "tags": []}]),
        ("bug", "billing", [{"queues": ["how-to", "bug"]}, "another module's"]),
        ("bug", "billing", ["billing", "bug"]),  # the last call decides
        ("bug", "billing", ["  Bug. ", " Bug "]),  # the test tidied it
        ("BUG", "bug", ["BUG"]),
        (3, 4, ["three", 3]),
        (True, False, [True]),
        (["a", 1], ["b"], [["a", 1]]),
        ({"b": 1, "a": 2}, {}, [{"a": 2, "b": 1}]),
    ],
)
def test_the_side_that_a_module_gave_is_what_was_got(
    left: object, right: object, outputs: list[object]
) -> None:
    said = f"got {left!r}, wanted {right!r}"
    assert told("==", left, right, outputs) == told("==", right, left, outputs) == said


@pytest.mark.parametrize(
    ("left", "right", "given", "said"),
    [
        # The program made "escalate" of the right output "billing".
        ("escalate", "billing", ["a ticket", "billing"], "assert 'escalate' == 'billing'"),
        ("escalate", "billing", [{"queue": "billing"}], "assert 'escalate' == 'billing'"),
        ("billing", "bug", ["a ticket", "bug"], "got 'billing', wanted 'bug'"),
        ("billing", "bug", ["billing", "bug"], "got 'billing', wanted 'bug'"),  # of several labels
        ("billing", "bug", [], "got 'billing', wanted 'bug'"),
    ],
)
def test_an_output_that_the_case_gives_may_be_what_is_wanted(
    left: str, right: str, given: list[object], said: str
) -> None:
    assert told("==", left, right, ["billing"], given) == said


def test_values_are_compared_as_modules_give_them() -> None:
    assert told("is", Queue.BUG, None, ["bug"]) == "got <Queue.BUG: 'bug'>, wanted None"
    assert told("==", 1, 2, ["1"]) == "assert 1 == 2"
    assert told("==", {"bug"}, {"billing"}, [["bug"]]) == "got {'bug'}, wanted {'billing'}"


@pytest.mark.parametrize(
    ("operator", "left", "right", "outputs"),
    [
        ("==", "bug", "billing", []),
        ("==", "bug", "billing", ["how-to"]),
        ("==", "bug", "billing", [["bug", "billing"]]),
        ("==", object, "billing", [None]),
        ("in", "refund", "No.", ["No."]),
        ("!=", "bug", "bug", ["bug"]),
        ("<", 1, 2, [1]),
    ],
)
def test_what_the_trace_does_not_tell_stays_an_assertion(
    operator: str, left: object, right: object, outputs: list[object]
) -> None:
    assert told(operator, left, right, outputs) == f"assert {left!r} {operator} {right!r}"


def test_what_the_case_asks_with_is_not_what_it_wants() -> None:
    assert not_asked(["two", "TWO", object, [1]], ["two", [1]]) == ["TWO", object]
