"""Prompts: what a row may see of them, and their digest."""

from __future__ import annotations

from dataclasses import replace

from pytest_mipro.runtime.prompts.prompt import Demo, Prompt

ONE = Demo("one", {"x": "a", "y": 1}, "b")
TWO = Demo("two", {"x": "c", "y": 2}, "d")
PROMPT = Prompt("Go.", (ONE, TWO, replace(ONE, output="e")))


def test_a_row_never_sees_its_own_demo() -> None:
    assert PROMPT.without("one").demos == (TWO,)
    assert PROMPT.without("two").demos == (ONE, PROMPT.demos[2])
    assert PROMPT.without("three") is PROMPT
    assert PROMPT.without(None) is PROMPT
    assert PROMPT.without("one").instruction == "Go."


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
