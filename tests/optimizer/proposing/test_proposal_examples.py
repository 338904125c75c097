"""The examples that the proposer is shown of a module: its calls, chosen, and as text."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import note, sort

from pytest_mipro.optimizer.proposing.proposal_context import (
    choose_examples,
    examples_text,
    module_examples,
)
from pytest_mipro.optimizer.proposing.strategy import Example
from pytest_mipro.optimizer.study.case import Case, CaseRun, Outcome, TestSpec
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Usage

TESTS = {name: TestSpec(name) for name in ("t", "test_reply", "test_queue")}


def call(value: str, output: Any = "red", error: str = "") -> ModuleCall:
    return ModuleCall(
        signature=sort.signature,
        model="m",
        parameters={},
        inputs={"note": value},
        output=output,
        reasoning=None,
        text=str(output),
        usage=Usage(),
        cost=None,
        latency=0.0,
        cached=False,
        requests=1,
        error=error,
    )


def run(row: str, score: float | None, *calls: ModuleCall, test: str = "t", **more: Any) -> CaseRun:
    demo = more.pop("demo", True)
    case = Case(f"{test}[{row}]", row, test, lambda: Outcome(1.0), demo=demo)
    return CaseRun(case, 0, Outcome(score, **more), calls)


def test_examples_are_the_modules_calls_in_case_order_with_score_and_feedback() -> None:
    runs = [
        run("b", 0.0, call("B"), feedback="want blue"),
        run("a", 1.0, call("A"), call("A2"), feedback="not shown"),
        run("c", None, call("C")),
        run("d", 1.0, call("D"), demo=False),
    ]
    made = module_examples(runs, sort.signature, TESTS)
    assert [(item.row, item.call.inputs["note"], item.score) for item in made] == [
        ("b", "B", 0.0),
        ("a", "A", 1.0),
        ("a", "A2", 1.0),
    ]
    assert [item.feedback for item in made] == ["want blue", "", ""]
    assert module_examples(runs, note.signature, TESTS) == []


def test_a_call_for_a_tool_is_an_example_where_no_answer_followed() -> None:
    asked = replace(call("A", output="look_up"), calls_tool=True)
    runs = [
        run("a", 0.0, asked, call("found")),
        run("b", 0.0, replace(asked, inputs={"note": "B"})),
    ]
    made = module_examples(runs, sort.signature, TESTS)
    assert [item.call.inputs["note"] for item in made] == ["found", "B"]


def test_a_call_that_tests_share_is_one_example_and_names_each_test() -> None:
    runs = [
        run("a", 0.5, call("A"), test="test_reply", feedback="too short"),
        run("a", 1.0, call("A"), test="test_queue"),
    ]
    (example,) = module_examples(runs, sort.signature, TESTS)
    assert example.score == 0.75
    assert example.feedback == "test_reply: too short\ntest_queue: passed"
    assert not example.passed


def test_an_example_fails_below_the_pass_score_of_its_tests() -> None:
    tests = {
        "t": TestSpec("t", pass_score=0.7, labels={"sort": "colour"}),
        "strict": TestSpec("strict"),
    }
    runs = [run("a", 0.7, call("A"), feedback="fine"), run("b", 0.6, call("B"), feedback="poor")]
    good, poor = module_examples(runs, sort.signature, tests)
    assert (good.passed, good.feedback, poor.passed, poor.feedback) == (True, "", False, "poor")
    shared = [runs[0], run("a", 0.9, call("A"), test="strict")]
    (both,) = module_examples(shared, sort.signature, tests)
    assert not both.passed


def test_an_example_holds_the_output_that_a_label_wants() -> None:
    tests = {"t": TestSpec("t", labels={"sort": "colour"})}

    def wanted(**columns: Any) -> str:
        case = Case("t[a]", "a", "t", lambda: Outcome(1.0), columns)
        (made,) = module_examples(
            [CaseRun(case, 0, Outcome(0.0), (call("A"),))], sort.signature, tests
        )
        return made.wanted

    assert wanted(colour="Blue.") == "blue"
    assert wanted(colour=7) == "7"
    assert wanted(other="blue") == ""
    assert (wanted(colour=""), wanted(colour=None)) == ("", "")


scores = st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=40)


@given(scores, st.integers(0, 20), st.integers(0, 3))
def test_half_of_the_examples_fail_where_there_are_as_many_of_each(
    values: list[float], count: int, seed: int
) -> None:
    numbered = [(str(n), value) for n, value in enumerate(values)]
    examples = [Example(n, call(n), value, "", value >= 1) for n, value in numbered]
    chosen = choose_examples(examples, count, random.Random(seed))
    assert len(chosen) == min(count, len(examples))
    assert len({example.row for example in chosen}) == len(chosen)
    failing = sum(value < 1 for value in values)
    chosen_failing = sum(not example.passed for example in chosen)
    passing = len(values) - failing
    assert chosen_failing >= min(failing, count // 2)
    assert len(chosen) - chosen_failing >= min(passing, count - count // 2)
    assert chosen == choose_examples(examples, count, random.Random(seed))


def test_an_example_shows_inputs_output_and_feedback_as_they_are() -> None:
    text = examples_text(
        [
            Example("a", call("one\n  two {{x}}"), 0.25, "too dark", False, "blue"),
            Example("b", call("B", "blue"), 1.0, "", True, "blue"),
            Example("c", call("C", None, error="the reply can't be used"), 0.0, "unused", False),
            Example("d", call("D"), 0.0, "got 'red', wanted 'blue'", False, "blue"),
        ],
        sort.signature,
    )
    assert text == (
        "### Example 1: failed, score 0.25\nInput:\n<note>\none\n  two {{x}}\n</note>\n\n"
        "Reply:\nred\n\nWanted:\nblue\n\nFeedback:\ntoo dark\n\n"
        "### Example 2: passed, score 1.00\nInput:\n<note>\nB\n</note>\n\nReply:\nblue\n\n"
        "### Example 3: failed, score 0.00\nInput:\n<note>\nC\n</note>\n\nReply:\nNone\n\n"
        "Feedback:\nthe reply can't be used\n\n"
        "### Example 4: failed, score 0.00\nInput:\n<note>\nD\n</note>\n\nReply:\nred\n\n"
        "Wanted:\nblue"
    )
    assert examples_text([], sort.signature) == ""


@pytest.mark.parametrize("part", ["inputs", "feedback"])
def test_long_parts_of_an_example_are_shortened(part: str) -> None:
    long = "y" * 20_000
    given, said = (long, "") if part == "inputs" else ("A", long)
    example = Example("a", call(given), 0.0, said, passed=False)
    text = examples_text([example], sort.signature)
    assert len(text) < 2000
    assert "characters left out" in text
