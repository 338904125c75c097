"""The shape of a JSON value, as models see it, and that the stand-in model reads it back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, Optional

import jsonschema
import pytest
from pydantic import BaseModel, Field, TypeAdapter

from pytest_mipro.runtime.signature.outputs.output_shape import notes_of, placeholders, shape_text
from pytest_mipro.simulated.formats.shapes import shape_schema


class Tree(BaseModel):
    name: str = Field(description="its\n name", examples=["oak"])
    children: list[Tree] = []


class Leaf(BaseModel):
    """A leaf."""

    colour: Literal["green", "red"]


class Twig(BaseModel):
    left: Leaf
    right: Leaf | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(gt=0, lt=10)


class Dog(BaseModel):
    kind: Literal["dog"]


class Home(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind", description="who lives there")


@dataclass
class Point:
    x: float
    label: str = ""


SHAPES: list[tuple[Any, str]] = [
    (list[str], '["<text>", …]'),
    (Optional[str], '"<text>" or null'),  # noqa: UP045
    (int | str, '<whole number> or "<text>"'),
    (dict[str, list[int]], '{"<text>": [<whole number>, …], …}'),
    (list[Literal["a, b", "c"]], '[<one of: "a, b", "c">, …]'),
    (list[Literal["", 'say "c"']], '[<one of: "", "say \\"c\\"">, …]'),
    (dict[Literal["a", "b"], bool], '{"<one of: a, b>": <true or false>, …}'),
    (dict[str, Any], '{"<text>": <any JSON value>, …}'),
    (list[tuple[int, str]], '[[<whole number>, "<text>"], …]'),
    (set[date], '["<date as YYYY-MM-DD>", … different items]'),
    (
        Annotated[list[datetime], Field(min_length=1, max_length=3)],
        '["<date and time as YYYY-MM-DDThh:mm:ssZ>", … 1 to 3 items]',
    ),
    (Annotated[list[int], Field(max_length=2)], "[<whole number>, … at most 2 items]"),
    (Annotated[int, Field(ge=1, le=5)], "<whole number from 1 to 5>"),
    (Annotated[int, Field(gt=0)], "<whole number of at least 1>"),
    (Annotated[float, Field(gt=0.5, le=1.5)], "<number above 0.5 and of at most 1.5>"),
    (Annotated[int, Field(multiple_of=5)], "<whole number in steps of 5>"),
    (Annotated[str, Field(min_length=2, max_length=9)], '"<text of 2 to 9 characters>"'),
    (Annotated[str, Field(pattern='^"?a')], '"<text that matches ^\\"?a>"'),
    (
        Point,
        '{"x": <number>, "label": "<text>"}\nWhat may be left out: `label`',
    ),
    (
        Tree,
        (
            '{"name": "<text>", "children": [<Tree>, …]}\n<Tree> is such an object again\n'
            '- `Tree.name`: its name (for example "oak")\nWhat may be left out: `Tree.children`'
        ),
    ),
    (
        list[Tree],
        (
            '[<Tree>, …]\n<Tree> is {"name": "<text>", "children": [<Tree>, …]}\n'
            '- `Tree.name`: its name (for example "oak")\nWhat may be left out: `Tree.children`'
        ),
    ),
    (
        Twig,
        (
            '{"left": <Leaf>, "right": <Leaf> or null}\n'
            '<Leaf> is {"colour": "<one of: green, red>"}\n'
            "- `Leaf`: A leaf.\nWhat may be left out: `right`"
        ),
    ),
    (list[Leaf], '[{"colour": "<one of: green, red>"}, …]\n- `[]`: A leaf.'),
    (
        Home,
        (
            '{"pet": {"kind": "cat", "lives": <whole number from 1 to 9>} or {"kind": "dog"}}\n'
            "- `pet`: who lives there"
        ),
    ),
]


@pytest.mark.parametrize(("annotation", "text"), SHAPES, ids=str)
def test_each_type_has_its_shape(annotation: Any, text: str) -> None:
    assert shape_text(TypeAdapter(annotation).json_schema()) == text


@pytest.mark.parametrize(("annotation", "text"), SHAPES, ids=str)
def test_a_shape_is_no_answer_of_its_own(annotation: Any, text: str) -> None:
    first = text.partition("\n")[0]
    try:
        value = json.loads(first)
    except ValueError:
        return
    assert value in placeholders(text)


@pytest.mark.parametrize(("annotation", "text"), SHAPES, ids=str)
def test_the_stand_in_model_reads_a_shape_back(annotation: Any, text: str) -> None:
    schema = shape_schema(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert shape_text(schema) == text


def test_what_no_shape_can_say_is_shown_as_a_schema() -> None:
    odd = {"type": "string", "not": {"const": "x"}}
    shape = shape_text({"type": "object", "properties": {"a": odd}, "required": ["a"]})
    assert shape == f'{{"a": <a value of the JSON schema {json.dumps(odd)}>}}'


def test_what_is_said_of_an_object_is_told_at_its_first_place() -> None:
    tree, twig = (TypeAdapter(kind).json_schema() for kind in (Tree, Twig))
    assert notes_of(tree) == [("name", 'its name (for example "oak")')]
    assert notes_of(twig) == [("left", "A leaf.")]


def test_a_schema_that_refers_to_itself_many_times_stays_short() -> None:
    nested = {
        f"N{n}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/N{n + 1}"} for side in ("l", "r")},
        }
        for n in range(30)
    }
    nested["N30"] = {"type": "object", "properties": {"l": {"type": "string"}}}
    assert len(shape_text({"$ref": "#/$defs/N0", "$defs": nested})) < 4000
