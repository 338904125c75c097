"""Output types: what the model is asked for, and how its reply is read."""

from __future__ import annotations

import enum
import json
import math
import typing
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator
from typing_extensions import TypeAliasType, TypedDict

from pytest_mipro.errors import ModuleDefinitionError, OutputParseError
from pytest_mipro.runtime.signature.output_format import OutputFormat
from pytest_mipro.runtime.signature.output_type import UnresolvedTypeError, output_format


class Queue(enum.StrEnum):
    BILLING = "billing"
    HOW_TO = "how-to"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Plain(enum.Enum):
    A = "a"
    ONE = 1
    NONE = None


class Odd(enum.Enum):
    A = object()


@dataclass(frozen=True)
class Item:
    """One item."""

    name: str
    price: float = 0.0


@dataclass(frozen=True)
class Order:
    items: list[Item]
    queue: Queue
    note: str | None = None
    tags: set[str] = field(default_factory=set)


class Facts(TypedDict):
    problem: str
    details: list[str]


class Reply(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date
    tags: frozenset[str] = frozenset()
    score: Annotated[int, Field(ge=0, le=10)] = 0

    @field_validator("score")
    @classmethod
    def even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be\neven")
        return value


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


Label = Literal["billing", "bug", "how-to"]
Ticket = NewType("Ticket", str)
Alias = TypeAliasType("Alias", Literal["a", "b"])


def of(annotation: Any, reasoning: bool = False) -> OutputFormat:
    return output_format(annotation, reasoning=reasoning, where="desk.py:1: LM module 'desk.f'")


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


def test_an_annotation_that_adds_a_rule_is_asked_for_by_its_schema() -> None:
    assert of(Annotated[int, "a note"]).kind == "scalar"
    ruled = of(Annotated[int, Field(ge=0, le=5)])
    assert ruled.instruction().endswith("\n<whole number from 0 to 5>")
    with pytest.raises(OutputParseError, match="less than or equal to 5"):
        ruled.parse("6")
    assert of(Annotated[str, Field(max_length=3)]).kind == "json"


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


@pytest.mark.parametrize(
    "text",
    [
        *("billing", "Billing", "BILLING", " billing\n", '"billing"', "'billing'", "`billing`"),
        *("billing.", '"Billing."', "**billing**", "- billing", "```\nbilling\n```"),
        "```text\r\nbilling\r\n```",
    ],
)
def test_a_label_is_known_in_its_usual_dress(text: str) -> None:
    assert of(Label).parse(text)[0] == "billing"


@pytest.mark.parametrize("text", ["bill", "bug or how-to", "bug\nbilling", "x" * 9**6])
def test_what_is_no_label_is_refused_with_the_labels(text: str) -> None:
    with pytest.raises(OutputParseError, match="is none of: billing, bug, how-to") as caught:
        of(Label).parse(text)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_labels_that_differ_by_case_are_told_apart() -> None:
    output = of(Literal["us", "US"])
    assert (output.parse("us")[0], output.parse(" US ")[0]) == ("us", "US")
    with pytest.raises(OutputParseError):
        output.parse("Us")


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        *((bool, text, True) for text in ("true", "True", "TRUE.", "`true`", "```\ntrue\n```")),
        *((int, text, 42) for text in ("42", " 42.", '"42"', "42.0", "**42**", "4.2e1")),
        *((float, text, -0.5) for text in ("-0.5", "-0.5.", "-5E-1", "```\n-0.5\n```")),
        (float, "7", 7.0),
    ],
)
def test_numbers_and_booleans_are_read(annotation: Any, text: str, value: Any) -> None:
    assert of(annotation).parse(text)[0] == value


@pytest.mark.parametrize(
    ("annotation", "texts"),
    [
        (bool, ["", "1", "0", "null", '"', "truefalse", "[true, false]"]),
        (
            int,
            ["", "true", "4.5", "fourth", "1,00", "null", "[4, 5]", "0x1f", "9" * 5000, "+", "٤"],
        ),
        (float, ["", "true", "NaN", "nan", "Infinity", "-inf", "1e999", "1,5", "null", "{}"]),
    ],
)
def test_what_means_no_number_is_refused(annotation: Any, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(OutputParseError) as caught:
            of(annotation).parse(text)
        assert len(str(caught.value)) < 200, text


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "pen", "price": 2}',
        '\n {"name": "pen", "price": 2.0} \n',
        '```json\n{"name": "pen", "price": 2}\n```',
        '```\r\n{"name": "pen",\r\n"price": 2}\r\n```\n',
        'Here it is:\n\n```json\n{"name": "pen", "price": 2}\n```\nAnything else?',
    ],
)
def test_json_is_read_with_or_without_a_fence(text: str) -> None:
    assert of(Item).parse(text)[0] == Item("pen", 2.0)


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


def test_validators_speak_in_one_line() -> None:
    with pytest.raises(OutputParseError, match="score: Value error, must be even"):
        of(Reply).parse('{"day": "2026-01-02", "score": 3}')


def test_a_bare_date_is_read() -> None:
    assert of(date).parse("2026-01-02")[0] == of(date).parse('"2026-01-02"')[0] == date(2026, 1, 2)


@pytest.mark.parametrize("text", [" x\n", "a\n```\nx\n```", '"x"', "\ud800", "\x00", "x" * 10**6])
def test_a_text_is_the_reply_itself(text: str) -> None:
    assert of(str).parse(text) == (text, None)


def test_reasoning_is_split_from_the_answer() -> None:
    tagged = "<reasoning>\nBecause.\n</reasoning>\n<answer>\n%s\n</answer>"
    assert of(str, True).parse(tagged % "A\n---\nB\n") == ("A\n---\nB\n", "Because.")
    assert of(str, True).parse("Because.\n---\nThen.\n---\nA") == ("A", "Because.\n---\nThen.")
    assert of(str, True).parse("---\n\nA") == ("A", "")
    assert of(Label, True).parse("One:\r\n ---\r\nTwo.\n---\nbug.") == (
        "bug",
        "One:\r\n ---\r\nTwo.",
    )
    with pytest.raises(OutputParseError, match="nothing tells its answer from its reasoning"):
        of(str, True).parse("bug")
    for annotation in (Label, int):
        with pytest.raises(OutputParseError, match="'none' is"):
            of(annotation, True).parse("none")
    assert of(list[int], True).parse('{"output": [1]}') == ([1], "")
    assert of(list[int], True).parse("So.\n\n[1]") == ([1], "")


def test_a_demo_without_a_reasoning_shows_none() -> None:
    for reasoning in (None, ""):
        assert of(Label, True).reply_text("bug", reasoning) == "<answer>\nbug\n</answer>"
        assert of(list[int], True).reply_text([1], reasoning) == '{"output": [1]}'


def test_a_reply_that_holds_only_thoughts_is_empty() -> None:
    for annotation in (str, Label, Item):
        for text in ("<think>Hm. bug", "<|channel|>analysis<|message|>bug"):
            with pytest.raises(OutputParseError, match="it holds only the model's thoughts"):
                of(annotation).parse(text)
    assert of(str).parse("<think>bug</think>\n\nA\n")[0] == "A"


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_and_reasoning_survive(text: str, thought: str) -> None:
    if text.strip():
        assert of(str).parse(of(str).reply_text(text, None)) == (text, None)
    data = of(list[str], True).reply_text([thought], thought)
    assert of(list[str], True).parse(data) == ([thought], thought)


@given(st.text())
def test_no_reply_breaks_the_reader(text: str) -> None:
    for annotation in (str, Label, bool, int, float, Item, Tree, date):
        for reasoning in (False, True):
            try:
                of_cached(annotation, reasoning).parse(text)
            except OutputParseError as error:
                assert "\n" not in str(error)  # noqa: PT017


_FORMATS: dict[Any, OutputFormat] = {}


def of_cached(annotation: Any, reasoning: bool) -> OutputFormat:
    key = (annotation, reasoning)
    return _FORMATS.setdefault(key, _FORMATS.get(key) or of(annotation, reasoning))


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


@pytest.mark.parametrize("text", ["billing", "Billing.", "**billing**", "- billing"])
def test_an_optional_enum_is_as_lenient_as_the_enum(text: str) -> None:
    for annotation in (Optional[Queue], Queue | None, Label | None):  # noqa: UP045
        assert of(annotation).parse(text)[0] == "billing"
        assert of(annotation).parse("null")[0] is None
    assert of(Literal["null", "x"] | None).kind == "json"  # its texts would not be distinct


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


def test_sets_are_dumped_in_order() -> None:
    tags = {f"tag{i}" for i in range(50)}
    assert of(set[str]).dump(tags) == sorted(tags)
    assert of(Order).dump(Order([], Queue.BILLING, tags=tags))["tags"] == sorted(tags)
    dumped = of(list[Reply]).dump([Reply(day=date(2026, 1, 2), tags=frozenset(tags))])
    assert dumped[0]["tags"] == sorted(tags)


class Empty(enum.Enum):
    pass


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Any, "can't be checked"),
        (object, "can't be checked"),
        (None, "can't be checked"),
        (memoryview, "has no JSON schema"),
        (type, "has no JSON schema"),
        (Literal[1, "1"], "the value '1', which is empty, has several lines, or appears twice"),
        (Literal["a\nb", "c"], "which is empty, has several lines"),
        (Literal[""], "which is empty"),
        (Empty, "has no values"),
        (list[Odd], "an enum whose values have no JSON form; give its members texts"),
    ],
    ids=str,
)
def test_types_without_a_format_are_refused(annotation: Any, text: str) -> None:
    with pytest.raises(ModuleDefinitionError, match=text) as caught:
        of(annotation)
    assert "\n" not in str(caught.value)
    assert "desk.f" in str(caught.value)
    assert not isinstance(caught.value, UnresolvedTypeError)


def test_a_type_that_names_an_unknown_one_is_unresolved() -> None:
    @dataclass
    class Half:
        other: Missing  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(UnresolvedTypeError, match="names a type that is not defined"):
        of(Half)


def test_demos_of_another_type_are_refused() -> None:
    for annotation, wrong in [
        *((str, 1), (str, None), (Label, "spam"), (int, "7"), (bool, 1), (float, True)),
        *((Item, {}), (list[int], ["x"]), (Queue, None)),
    ]:
        with pytest.raises(OutputParseError):
            of(annotation).load(wrong)
    assert math.isclose(of(float).load(1), 1.0)
