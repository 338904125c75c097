"""Output formats: what the model is asked for, and outputs as demos show them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from output_types import Item, Label, Level, Plain, Queue, Reply, Tree, of
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.json_schema import PydanticJsonSchemaWarning
from typing_extensions import TypeAliasType, TypedDict

from pytest_mipro.errors import OutputParseError


@dataclass(frozen=True)
class Order:
    items: list[Item]
    queue: Queue
    note: str | None = None
    tags: set[str] = field(default_factory=set)


class Named(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    unit_price: float
    kinds: list[Level] = []


class Facts(TypedDict):
    problem: str
    details: list[str]


Ticket = NewType("Ticket", str)
Alias = TypeAliasType("Alias", Literal["a", "b"])

VALUES: list[tuple[Any, Any]] = [
    (str, 'a "quoted"\ntext. '),
    (Ticket, "a text"),
    (Annotated[str, "as a note"], "a text"),
    (Label, "how-to"),
    (Alias, "b"),
    (Literal[1, 2, 10], 10),
    (Literal["1", "2"], "2"),
    (Literal["1.0", "1"], "1"),
    (Literal["true", "false", "unknown"], "true"),
    (Literal["null", "none"], "null"),
    (Literal["yes", "Yes!"], "Yes!"),
    (Literal[True, "maybe"], True),
    (Literal["x", None], None),  # noqa: PYI061
    (Literal[Queue.BILLING], Queue.BILLING),
    (Queue, Queue.HOW_TO),
    (Level, Level.HIGH),
    (Plain, Plain.ONE),
    (Plain, Plain.NONE),
    (bool, False),
    (int, -12),
    (int, 10**30),
    (float, -0.5),
    (float, 1e300),
    (list[str], ["a", "```"]),
    (list[int], []),
    (tuple[int, str], (1, "x")),
    (dict[str, list[int]], {"a": [1], "b": []}),
    (Item, Item("pen", 1.5)),
    (Order, Order([Item("pen")], Queue.BILLING, None, {"b", "a"})),
    (Facts, {"problem": "p", "details": ["d"]}),
    (Reply, Reply(day=date(2026, 1, 2), tags=frozenset({"x", "y"}), score=4)),
    (Tree, Tree(name="a", children=[Tree(name="b")])),
    (list[Named], [Named(unitPrice=1.5, kinds=[Level.HIGH])]),
    (Optional[str], None),  # noqa: UP045
    (Optional[str], "null"),  # noqa: UP045
    (Union[int, str], "7"),  # noqa: UP007
    (int | list[int], [7]),
    (Label | None, "bug"),
    (date, date(2026, 1, 2)),
    (Annotated[int, Field(ge=0)], 3),
]


@pytest.mark.parametrize("reasoning", [False, True])
@pytest.mark.parametrize(("annotation", "value"), VALUES)
def test_each_output_survives_its_own_demo(annotation: Any, value: Any, reasoning: bool) -> None:
    output = of(annotation, reasoning)
    data = output.dump(value)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    thought = "First this.\n\nThen that." if reasoning else None
    read, said = output.parse(output.reply_text(data, thought))
    assert (read, said) == (value, thought)
    assert type(read) is type(value)
    assert output.load(data) == value


@pytest.mark.parametrize(
    ("annotation", "instruction"),
    [
        (str, ""),
        (Ticket, ""),
        (bool, "Reply with `true` or `false` and nothing else."),
        (int, "Reply with one whole number and nothing else."),
        (float, "Reply with one number and nothing else."),
        (
            Literal["a", 1],
            "Reply with exactly one of these values and nothing else:\n- a\n- 1",
        ),
        (
            Queue,
            "Reply with exactly one of these values and nothing else:\n- billing\n- how-to",
        ),
        (
            list[int],
            (
                "Reply with one JSON value of this shape and nothing else, with a value in place "
                "of each <…>:\n[<whole number>, …]"
            ),
        ),
    ],
)
def test_instructions_say_what_is_wanted(annotation: Any, instruction: str) -> None:
    assert of(annotation).instruction() == instruction


def test_a_description_is_shown_and_changes_no_format() -> None:
    text = of(Annotated[str, Field(description="two\n sentences")])
    assert (text.kind, text.instruction()) == ("text", "The reply is: two sentences")
    label = of(Annotated[Label, Field(description="the queue")])
    assert label.kind == "scalar"
    assert label.instruction().endswith("\n- how-to\nThe reply is: the queue")


def test_reasoning_comes_first() -> None:
    first = "First write your reasoning between <reasoning> and </reasoning>, then "
    last = " between <answer> and </answer>"
    assert of(str, True).instruction() == f"{first}your answer{last}."
    assert of(bool, True).instruction() == f"{first}`true` or `false` and nothing else{last}."
    assert of(Label, True).instruction() == (
        f"{first}exactly one of these values and nothing else{last}:\n- billing\n- bug\n- how-to"
    )
    schema = of(Order, True).schema
    assert schema
    assert list(schema["properties"]) == schema["required"] == ["reasoning", "output"]
    assert set(schema["$defs"]) == {"Item", "Queue"}


def test_only_schemas_with_an_object_root_are_sent_along() -> None:
    assert of(Item).response_schema == of(Item).schema
    assert of(list[int]).response_schema is None
    assert of(list[int], True).response_schema
    assert of(Label).response_schema is None
    assert of(str, True).response_schema is None


def test_sets_are_dumped_in_order() -> None:
    tags = {f"tag{i}" for i in range(50)}
    assert of(set[str]).dump(tags) == sorted(tags)
    assert of(Order).dump(Order([], Queue.BILLING, tags=tags))["tags"] == sorted(tags)
    dumped = of(list[Reply]).dump([Reply(day=date(2026, 1, 2), tags=frozenset(tags))])
    assert dumped[0]["tags"] == sorted(tags)


def test_demos_of_another_type_are_refused() -> None:
    for annotation, wrong in [
        *((str, 1), (str, None), (Label, "spam"), (int, "7"), (bool, 1), (float, True)),
        *((Item, {}), (list[int], ["x"]), (Queue, None)),
    ]:
        with pytest.raises(OutputParseError):
            of(annotation).load(wrong)
    assert math.isclose(of(float).load(1), 1.0)


def test_an_output_that_is_written_otherwise_than_it_is_read_loads_not() -> None:
    class Counted(BaseModel):
        count: int = Field(validation_alias="total")

    output = of(Counted)
    assert not output.loads(output.dump(output.parse('{"total": 2}')[0]))


def test_of_a_default_without_json_only_the_definition_warns() -> None:
    class Marked(BaseModel):
        mark: Annotated[Any, WithJsonSchema({"type": "string"})] = object()

    with pytest.warns(PydanticJsonSchemaWarning, match="not JSON serializable"):
        output = of(Marked)
    assert output.dump(Marked(mark="x")) == {"mark": "x"}
