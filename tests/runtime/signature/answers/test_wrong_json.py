"""JSON that is no value of the output's type: refused in one line that gives the reason."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import pytest
from output_types import Item, Reply, Team, of
from pydantic import BaseModel

from pytest_mipro.errors import OutputParseError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("pen", "is not JSON"),
        ('{"name": "pen"', "is not JSON"),
        ("```json\n{}\n```\n```json\n{}\n```", "name: Field required"),
        ("{}", "name: Field required"),
        ('{"name": 1}', "name: Input should be a valid string"),
        ('{"name": "x", "price": NaN}', "NaN is not a finite number"),
        ('{"name": "x", "price": "nan"}', "NaN is not a finite number"),
        ('{"name": "x", "price": -Infinity}', "-Infinity is not a finite number"),
        ('{"name": "x", "price": 1e999}', "1e999 is not a finite number"),
        ('{"name": "\\ud800"}', "."),
        ("[" * 20_000, "."),
        ('{"name":' * 20_000, "."),
        ("9" * 10_000, "."),
        ("[]", "Input should be an object|dictionary|instance"),
        ("null", "Input should be"),
    ],
    ids=lambda value: value[:20],
)
def test_wrong_json_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(OutputParseError, match=reason) as caught:
        of(Item).parse(text)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "reply", "reason"),
    [
        (list[Literal["a", "b"]], '["a", "c"]', "1: 'c' is none of 'a' or 'b'"),
        (dict[str, Literal["a", "b"]], '{"x": 3}', "x: '3' is none of 'a' or 'b'"),
        (
            list[Team],
            '["nobody"]',
            "0: 'nobody' is none of 'bug', 'account', 'sign-in', 'refund', 'privacy' or 'delivery'",
        ),
    ],
)
def test_a_value_that_is_no_label_is_named_with_the_labels(
    annotation: Any, reply: str, reason: str
) -> None:
    with pytest.raises(OutputParseError) as caught:
        of(annotation).parse(reply)
    assert str(caught.value) == reason


def test_validators_speak_in_one_line() -> None:
    with pytest.raises(OutputParseError, match="score: Value error, must be even"):
        of(Reply).parse('{"day": "2026-01-02", "score": 3}')


def test_a_copy_of_the_shape_is_no_answer() -> None:
    class Note(BaseModel):
        text: str
        day: date | None = None
        more: dict[str, str] = {}

    for text in (
        '{"text": "<text>"}',
        '{"text": "x", "more": {"<text>": "y"}}',
        '{"text": "<text>", "day": "<date as YYYY-MM-DD>"}',
    ):
        with pytest.raises(OutputParseError, match="instead of a value"):
            of(Note).parse(text)
    assert of(Note).parse('{"text": "a <text> b"}')[0].text == "a <text> b"
