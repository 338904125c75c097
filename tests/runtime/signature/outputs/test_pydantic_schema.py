"""Enums whose values are no texts, and any TypedDict, as outputs."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest
from output_types import Level, Odd, Plain, of
from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

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


@dataclass
class Noted:
    """What the desk
    noted.
    """

    text: str


@dataclass
class Bare:
    text: str


def test_a_dataclass_is_described_by_its_docstring_in_each_release_of_pydantic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those before 2.13 leave it out: a prompt and its lock would depend on the release."""
    newer = GenerateJsonSchema.dataclass_schema

    def older(maker: GenerateJsonSchema, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        shaped = newer(maker, schema)
        shaped.pop("description", None)
        return shaped

    told = of(list[Noted]).instruction()
    assert told.endswith("\n- `[]`: What the desk noted.")
    bare = of(Bare).instruction()
    assert "Bare(" not in bare
    monkeypatch.setattr(GenerateJsonSchema, "dataclass_schema", older)
    assert (of(list[Noted]).instruction(), of(Bare).instruction()) == (told, bare)


def test_a_decimal_is_asked_for_alike_in_each_release_of_pydantic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2.12 and 2.13 write a pattern of the text that it may be, too."""
    text = {"type": "string", "pattern": r"^\d+$"}
    patterned = {"anyOf": [{"type": "number"}, text]}
    monkeypatch.setattr(GenerateJsonSchema, "decimal_schema", lambda maker, schema: patterned)
    output = of(list[Decimal])
    assert output.instruction().endswith('\n[<number> or "<text>", …]')
    assert output.parse('["1.50"]')[0] == [Decimal("1.50")]
