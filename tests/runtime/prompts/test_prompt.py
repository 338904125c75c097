"""Prompts: what a row may see of them, and their digest."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

ONE = Demo("one", {"x": "a", "y": 1}, "b")
TWO = Demo("two", {"x": "c", "y": 2}, "d")
OTHER = {"x": "z", "y": 1}
PROMPT = Prompt("Go.", (ONE, TWO, replace(ONE, output="e")))


def test_a_row_never_sees_its_own_demo() -> None:
    assert PROMPT.without("one", OTHER).demos == (TWO,)
    assert PROMPT.without("two", OTHER).demos == (ONE, PROMPT.demos[2])
    assert PROMPT.without("three", OTHER) is PROMPT
    assert PROMPT.without("one", OTHER).instruction == "Go."


def test_a_row_never_sees_the_answer_of_another_row_with_its_inputs() -> None:
    assert PROMPT.without("three", {"y": 1, "x": "a"}).demos == (TWO,)


def test_outside_cases_every_demo_is_shown() -> None:
    assert PROMPT.without(None, ONE.inputs) is PROMPT


def test_whatever_the_messages_show_changes_the_digest() -> None:
    changed = [
        PROMPT,
        Prompt("Go!", PROMPT.demos),
        Prompt("Go.", PROMPT.demos[::-1]),
        Prompt("Go.", PROMPT.demos[:2]),
        Prompt("Go."),
        Prompt("Go.", (replace(ONE, inputs={"y": 1, "x": "a"}),)),
        Prompt("Go.", (replace(ONE, inputs={"x": "a", "y": 1.0}),)),
        Prompt("Go.", (replace(ONE, inputs={"x": "a", "y": True}),)),
        Prompt("Go.", (replace(ONE, output=["b"]),)),
        Prompt("Go.", (replace(ONE, case="two"),)),
        Prompt("Go.", (replace(ONE, reasoning=""),)),
        Prompt("Go.", (ONE,)),
        Prompt("\ud800"),
    ]
    assert len({prompt.digest() for prompt in changed}) == len(changed)
    assert PROMPT.digest() == Prompt("Go.", PROMPT.demos).digest()
