"""Enums whose values are no texts, and any TypedDict, as outputs."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import pytest
from output_types import Level, Odd, Plain, of
from pydantic import BaseModel, Field

from pytest_mipro.errors import OutputParseError


class Marks(BaseModel):
    level: Level
    worst: Level | None = None
    seen: dict[Level, list[Level]] = {}
    all: set[Level] = set()
    low: Literal[Level.LOW] = Level.LOW


@dataclass(frozen=True)
class Marked:
    level: Level


MARKS = Marks(level=Level.LOW, worst=Level.HIGH, seen={Level.LOW: [Level.HIGH]}, all=set(Level))


@pytest.mark.parametrize("reasoning", [False, True])
@pytest.mark.parametrize(
    ("annotation", "value", "shown"),
    [
        (Level, Level.HIGH, "HIGH"),
        (Plain, Plain.NONE, "NONE"),
        (Odd, Odd.A, "A"),
        (Optional[Level], Level.LOW, "LOW"),  # noqa: UP045
        (Level | Literal["x"], Level.LOW, "LOW"),
        (list[Level], [Level.LOW], '["LOW"]'),
        (Marked, Marked(Level.HIGH), '{"level": "HIGH"}'),
        (
            Marks,
            MARKS,
            (
                '{"level": "LOW", "worst": "HIGH", "seen": {"LOW": ["HIGH"]}, '
                '"all": ["HIGH", "LOW"], "low": "LOW"}'
            ),
        ),
    ],
)
def test_enums_whose_values_are_no_texts_go_by_name(
    annotation: Any, value: Any, shown: str, reasoning: bool
) -> None:
    plain, output = of(annotation), of(annotation, reasoning)
    assert plain.reply_text(plain.dump(value), None) == shown
    asked = output.instruction()
    assert "LOW" in asked or annotation in (Plain, Odd)
    reply = output.reply_text(output.dump(value), "why" if reasoning else None)
    assert output.parse(reply)[0] == output.load(output.dump(value)) == value


def test_a_value_of_a_named_enum_is_read_too() -> None:
    assert of(Level).load(2) is of(Level).parse("2")[0] is Level.HIGH
    assert of(Marked).parse('{"level": 2}')[0] == Marked(Level.HIGH)
    assert of(Literal[1, Level.HIGH]).parse("1")[0] == 1


class Part(typing.TypedDict, total=False):
    """A part."""

    name: typing.Required[str]
    sizes: list[int]


class Whole(typing.TypedDict):
    part: Part
    spare: typing.NotRequired[Annotated[Part, Field(description="if any")]]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Whole, {"part": {"name": "a", "sizes": [1]}, "spare": {"name": "b"}}),
        (list[Part], [{"name": "a"}]),
        (Part | None, None),
        (dict[str, tuple[Part, int]], {"x": ({"name": "a"}, 1)}),
        (Annotated[Part, "a note"], {"name": "a"}),
    ],
)
def test_the_standard_librarys_typed_dicts_are_read(annotation: Any, value: Any) -> None:
    output = of(annotation)
    assert output.parse(output.reply_text(output.dump(value), None))[0] == value
    with pytest.raises(OutputParseError):
        output.parse('{"part": {"sizes": [1]}, "name": 1}')
