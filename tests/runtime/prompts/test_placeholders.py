"""Placeholders of a text: which braces are one, and what is put in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.runtime.prompts.placeholders import joined, placeholders_of, split_text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Dear {name}, from {company} to {name}", ("name", "company")),
        ("v{version} {first}{last}", ("version", "first", "last")),
        ('Reply as {"queue": "{queue}", "why": {"a": 1}}', ("queue",)),
        ('{"a": {inner}}', ("inner",)),
        ("{{name}} {{ name }} {% if name %}", ()),
        (r"Write \boxed{answer} and \frac{a}{b}, not \{name}", ()),
        ("{} {0} {a b} {a.b} {a!r} {a:>3} { a }", ()),
        ("", ()),
    ],
)
def test_only_a_name_in_single_braces_is_a_placeholder(text: str, names: tuple[str, ...]) -> None:
    assert placeholders_of(text) == names


@given(st.text(alphabet='{}ab\\ \n"1', max_size=30))
def test_all_else_of_a_text_survives(text: str) -> None:
    pieces, names = split_text(text)
    assert joined(pieces, names, {}) == text
    assert len(pieces) == len(names) + 1


def test_a_value_is_not_read_for_placeholders() -> None:
    pieces, names = split_text("{a} and {b}")
    assert joined(pieces, names, {"a": "{b}", "b": "x"}) == "{b} and x"
