"""Python values as JSON values, stable from process to process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel

from pytest_mipro.runtime.signature.json_values import to_json, to_text

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    tags: set[str]
    inner: list[frozenset[str]] = []
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Ticket:
    text: str
    when: date
    tags: frozenset[str] = frozenset()
    model: Model | None = None


@given(json_values)
def test_json_values_stay_as_they_are(value: Any) -> None:
    assert repr(to_json(value)) == repr(value)
    text = to_text(value)
    assert text == value if isinstance(value, str) else json.loads(text) == value


def test_lone_surrogates_stay() -> None:
    assert to_json({"\ud800": ["\udfff"]}) == {"\ud800": ["\udfff"]}
    assert to_text("\ud800") == "\ud800"


WORDS = [f"tag{i:02}" for i in range(40)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (set(WORDS), WORDS),
        ({"a": frozenset(WORDS)}, {"a": WORDS}),
        ({3, 1, 2}, [1, 2, 3]),
        ({(1, "b"), (1, "a")}, [[1, "a"], [1, "b"]]),
        (Colour.RED, "red"),
        (date(2026, 1, 2), "2026-01-02"),
        (Path("a/b"), "a/b"),
        (b"abc", "abc"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ({1: "a"}, {"1": "a"}),
        (RootModel[list[int]]([1]), [1]),
        ([Colour.RED, (float("inf"),)], ["red", ["Infinity"]]),
        (
            Model(tags=set(WORDS), inner=[frozenset(WORDS)]),
            {"tags": WORDS, "inner": [WORDS], "colour": "red"},
        ),
        (
            Ticket("t", date(2026, 1, 2), frozenset(WORDS), Model(tags=set(WORDS))),
            {
                "text": "t",
                "when": "2026-01-02",
                "tags": WORDS,
                "model": {"tags": WORDS, "inner": [], "colour": "red"},
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_python_values_get_one_form(value: Any, expected: Any) -> None:
    assert to_json(value) == expected


@pytest.mark.parametrize("value", [object(), b"\xff", [object()], {"a": 1j, "b": lambda: 1}, json])
def test_values_without_a_form_are_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError) as caught:
        to_json(value)
    assert "\n" not in str(caught.value)


def test_texts_of_other_values_are_json() -> None:
    assert to_text({"ä": [True, None]}) == '{"ä": [true, null]}'
