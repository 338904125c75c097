"""A reply of one long run, as a model that has come off its rails writes it, takes no time to read.

A pattern that tries a run in each of its divisions takes minutes for the lengths here.
"""

from __future__ import annotations

import contextlib
from datetime import date
from time import process_time
from typing import Any

import pytest
from output_types import Label, Order, read

from pytest_mipro.errors import OutputParseError

LENGTH = 20_000
SECONDS = 2.0  # of processor time for a reply, where 0.3 are plenty
TYPES: list[Any] = [str, int, Label, Order, list[str], date]
RUNS = [
    *(" ", "\n", "_", "*", "-", "#", "=", "`", "'", "1", "a", "[", "{"),
    *("the ", "answer ", "bug ", "a, ", "a: b\n", "1,", "5 of ", "is so "),
    *("<answer>", "<json>", "<answer>x</answer>", "/* ", "\\'", "{a}"),
]
REASONED = ("_", "*", "`*_", "---\n", " ", "<reasoning>", "<answer>")


def check(annotation: Any, reply: str, *, reasoning: bool = False) -> None:
    before = process_time()
    with contextlib.suppress(OutputParseError):
        read(annotation, reply, reasoning=reasoning)
    assert process_time() - before < SECONDS, reply[:80]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("annotation", TYPES, ids=str)
def test_long_runs_take_no_time(annotation: Any) -> None:
    for run in RUNS:
        long = run * (LENGTH // len(run))
        for reply in (f"answer: x{long}y", f'<p>5{long}{{"team": bug'):
            check(annotation, reply)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("annotation", [str, Label, Order])
def test_long_runs_beside_a_reasoning_take_no_time(annotation: Any) -> None:
    for run in REASONED:
        long = run * (LENGTH // len(run))
        for reply in (f"{long}x", f"Reasoning: {long}\nAnswer: bug", f"<answer>{long}\nbug"):
            check(annotation, reply, reasoning=True)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("opening", "closing"), ["[]", "{}"])
def test_brackets_in_brackets_take_no_time(opening: str, closing: str) -> None:
    for annotation in TYPES:
        check(annotation, opening * (LENGTH // 2) + closing * (LENGTH // 2))
