"""Scores: a value, feedback, and further metrics by name."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from pytest_mipro import Score


def test_a_score_holds_what_it_was_given() -> None:
    score = Score(0.5, "half", length=3, accuracy=1.0)
    assert (score.value, score.feedback) == (0.5, "half")
    assert score.metrics == {"length": 3, "accuracy": 1.0}
    assert Score(1) == Score(1.0, feedback="")
    assert Score(1) != Score(1, "x") != Score(1, "x", n=1)
    assert copy.deepcopy(score) == score
    assert repr(score) == (
        "Score(value=0.5, feedback='half', metrics={'length': 3, 'accuracy': 1.0})"
    )


def test_a_score_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Score(1).value = 0.0  # type: ignore[misc]


@pytest.mark.parametrize("arguments", [(), (1, "x", "y")])
def test_wrong_arguments_are_python_s_own_error(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Score(*arguments)  # type: ignore[arg-type]
