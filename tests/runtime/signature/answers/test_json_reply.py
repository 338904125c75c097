"""Lists and objects in replies: JSON as models write it, and what they write in its place."""

# ruff: noqa: UP045 - the old spellings of unions are read, too

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Any, Literal, Optional

import pytest
from output_types import Item, Level, Order, Plain, Team, of, read, table_tests
from pydantic import BaseModel, Field, StrictBool

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.outputs.output_type import output_format


class Graded(BaseModel):
    grade: Team
    note: Literal["a"] | str = ""  # noqa: PYI051 - "A" is a text of its own


class Rated(BaseModel):
    stars: Literal[1, 2, 3]
    level: Level = Level.HIGH
    sure: Literal[True, "perhaps"] = True


class Signed(BaseModel):
    sign: Literal[-1, 1]
    kind: Literal["1", 1, "null"] | None = None


class Share(enum.Enum):
    HALF = 0.5
    ALL = 1.0


class Switched(BaseModel):
    on: StrictBool | Literal["auto"]
    share: Share = Share.ALL


class Shipped(BaseModel):
    first: Order = Order(team="a", days=1)
    by: Level | Literal["post"] = "post"
    plain: Plain | None = Plain.A


# fmt: off
READ: list[tuple[Any, dict[str, Any]]] = [
    (list[str], {
        "* a\n* b": ["a", "b"], "1. a\n2. b": ["a", "b"], "Tags:\n- a\n- b": ["a", "b"],
        "Here are the tags:\n\n- a\n- b\n\nLet me know!": ["a", "b"], "['a', 'b']": ["a", "b"],
        '["it\'s"]': ["it's"], '[\'it\\\'s\', "b"]': ["it's", "b"], '{"tags": ["a"]}': ["a"],
        '{"reasoning": "x", "tags": ["a","b"]}': ["a", "b"], '["a"]\n["a"]': ["a"],
        '- "a"\n- `b`\n- **c**': ["a", "b", "c"], '<answer>["a"]</answer>': ["a"],
        'See [1] for more: ["a"]': ["a"], '[\n  "a", // first\n  "b",\n]': ["a", "b"],
        "- a": ["a"], "Here are the items:\n1. a\n2. b\n3. c": ["a", "b", "c"],
        "• a\n• b": ["a", "b"], "- a\n\n- b": ["a", "b"], "[]\n\nNo tags apply.": [],
        "```\n- a\n- b\n```": ["a", "b"], 'tags = ["a", "b"]': ["a", "b"],
        '{"tags": ["a"], "count": 1}': ["a"], "1. a\n2. b\n\nNote: c was left out.": ["a", "b"],
        "**Tags:**\n- a\n- b": ["a", "b"], "a, b": ["a", "b"], "a\nb": ["a", "b"],
        "Alien: Covenant, Prometheus": ["Alien: Covenant", "Prometheus"],
        "Final answer: **a, b**": ["a", "b"], "Yes Bank, HDFC Bank": ["Yes Bank", "HDFC Bank"],
        "Tags: a, b": ["a", "b"], "**Tags:** a, b": ["a", "b"], "a: b, c: d": ["a: b", "c: d"],
        "Tags:\na\nb": ["a", "b"], '"a, b", c': ["a, b", "c"], '"a"': ["a"],
        "[\u201ca\u201d, \u201cb\u201d]": ["a", "b"], "[&quot;a&quot;]": ["a"],
    }),
    (list[int], {
        "- 1\n- 2": [1, 2], "[1,2]": [1, 2], "1, 2": [1, 2],
    }),
    (list[Team], {
        '["Refund", "sign in"]': ["refund", "sign-in"], "Refund, bug": ["refund", "bug"],
        "[refund, sign-in]": ["refund", "sign-in"], "[refund]": ["refund"],
        "[bug,\n privacy,\n]": ["bug", "privacy"],
        "[bug,\r\n refund]": ["bug", "refund"],
        "[ 'bug', privacy ]": ["bug", "privacy"], "```\n[bug, privacy]\n```": ["bug", "privacy"],
    }),
    (list[Optional[Team]], {
        "[refund, bug]": ["refund", "bug"],
    }),
    (list[Order], {
        '{"team":"a","days":1}': [Order(team="a", days=1)],
    }),
    (Graded, {
        '{"grade": "Sign In", "note": "A"}': Graded(grade="sign-in", note="A"),
        '{"grade": "BUG"}': Graded(grade="bug"),
    }),
    (Rated, {
        '{"stars": "2", "sure": "true"}': Rated(stars=2), '{"stars": 2, "sure": true}':
            Rated(stars=2),
    }),
    (Signed, {
        '{"sign": "-1", "kind": "1"}': Signed(sign=-1, kind="1"),
        '{"sign": "1", "kind": "null"}': Signed(sign=1, kind="null"),
    }),
    (Switched, {
        '{"on": true}': Switched(on=True), '{"on": "Auto"}': Switched(on="auto"),
    }),
    (Shipped, {
        '{"first": null, "by": null}': Shipped(), '{"plain": null}': Shipped(plain=None),
    }),
    (dict[str, int], {
        '{"a": 1}': {"a": 1}, '{"result": {"a": 1}}': {"a": 1},
    }),
    (Order, {
        "{'team': 'refund', 'days': 2}": Order(team="refund", days=2),
        '{"ticket": {"team": "refund", "days": 2}}': Order(team="refund", days=2),
        '[{"team": "refund", "days": 2}]': Order(team="refund", days=2),
        '{"team":"refund","days":2, "tags": ["a",]}': Order(team="refund", days=2, tags=["a"]),
        '{"team":"refund","days":2}\n{"team":"refund","days":2}': Order(team="refund", days=2),
        '{"team":"line\nbreak","days":1}': Order(team="line\nbreak", days=1),
        '{"team": "it\'s {x}", "days": 1}': Order(team="it's {x}", days=1),
        "team: refund\ndays: 2": Order(team="refund", days=2),
        "- **Team**: refund\n- **Days:** 2\n- tags: []": Order(team="refund", days=2),
        '{"Team": "refund", "Days": 2}': Order(team="refund", days=2),
        '{team: "refund", days: 2}': Order(team="refund", days=2),
        "{\u201cteam\u201d: \u201crefund\u201d, \u201cdays\u201d: 2}": Order(team="refund", days=2),
        '{"team": "refund", "days": 2, "tags": null}': Order(team="refund", days=2),
        '"{\\"team\\": \\"refund\\", \\"days\\": 2}"': Order(team="refund", days=2),
        '{"team": "a &amp; b", "days": 2}': Order(team="a &amp; b", days=2),
        'Example: {"team": "x"}\nAnswer: {"team":"refund","days":2}': Order(team="refund", days=2),
        'As {"team": <text>}: {"team":"refund","days":2}': Order(team="refund", days=2),
        '[see below: {"team":"refund","days":2}': Order(team="refund", days=2),
        '{{"team":"refund","days":2}}': Order(team="refund", days=2),
    }),
    (Optional[Order], {
        "null": None, "```json\nnull\n```": None,
        'Here: {"team":"a","days":1}': Order(team="a", days=1),
    }),
]
REFUSED: list[tuple[Any, list[str]]] = [
    (list[str], [
        '["a"] or ["b"]', "I found none.", "- a\n  - b", '["a", 1]', '["a"',
        "a, or b", "No, none.", "I see a, b", "None, sorry", "Tea is named. So is coffee.",
        "Options:\n- a\n- b\n\nI choose:\n- a", '["a"] and ["b"]', '{"a": "b"}', "null",
        "Sure, here you go", "Yes, it is", "Certainly, sir",
        "Rejected: a, b", "Not found: a, b", "The tags are these: a, b",
        "none", '["a","b"', "[a, b]", '["a"]["b"]', '{"tags": ["a"], "other": ["b"]}',
    ]),
    (list[int], [
        "[1, true]", "1,234", "$1,234,567",
    ]),
    (list[float], [
    ]),
    (list[Annotated[str, Field(min_length=1)]], [
        "[none]", "[No items found]", "[a, b]",
    ]),
    (list[Optional[str]], [
        "[no answer]",
    ]),
    (list[Team], [
        "[refund, order]", "[refund] or [bug]", "[refund, [bug]]", "[refund",
    ]),
    (dict[str, int], [
        '{"a": true}',
    ]),
    (Order, [
        '{"team":"refund","days":2} or {"team":"bug","days":2}', '{"team":"refund"',
        "team: refund\ndays: 2\nMore follows.", "team: refund", "team: refund\nteam: bug\ndays: 2",
        '{"team":"refund","days":2.5}', '{"team":"refund","days":null}',
        '```json\n{"team":"refund","days":2}\n```\n```json\n{"team":"bug","days":2}\n```',
        '{"team":"refund","days":"2 days"}', '{"team":"refund","days":2,"tags":"a"}',
        '{"team":"refund","days":2,"tags":[true]}', "I cannot.", "", "{}",
        '{"team":"refund" "days":2}',
    ]),
    (Signed, [
        '{"sign": "\u20131"}', '{"sign": "- 1"}',
    ]),
    (Switched, [
        '{"on": "auto", "share": true}',
    ]),
    (Rated, [
        '{"stars": true}', '{"stars": "true"}', '{"stars": 1, "level": true}',
    ]),
    (list[Order], [
        '[{"team":"a","days":true}]',
        '[{"team":"a","days":1}', '[{"team":"a","days":1}, {"team":"b',
        '[{"team":"a","days":1}, {"team":"\\d","days":2}]',
        '```json\n[{"team":"a","days":1}, {"team":"b\n```',
    ]),
    (dict[str, Any], [
        '{"a": {"b": 1}, "c": "d', '{"a": {"b": 1}, "c": "\\d"}', '{"a": [1], "c": {"d": 1}',
    ]),
]
# fmt: on


test_one_clear_answer_is_that_answer, test_what_one_would_ask_back_about_is_refused = table_tests(
    READ, REFUSED
)


def test_an_object_of_defaults_is_no_wrapper_of_itself() -> None:
    class Note(BaseModel):
        text: str = ""

    assert read(Note, '{"note": {"text": "a"}}') == Note(text="a")
    assert read(Note, "{}") == Note()


def test_truth_values_are_no_numbers_at_any_depth() -> None:
    class Line(BaseModel):
        count: int
        paid: bool

    assert read(list[Line], '[{"count": 1, "paid": true}]') == [Line(count=1, paid=True)]
    with pytest.raises(OutputParseError, match=r"0\.count: "):
        read(list[Line], '[{"count": true, "paid": true}]')


def test_a_list_in_brackets_of_any_length_is_a_list_or_none() -> None:
    with pytest.raises(OutputParseError):
        read(list[Team], f"[{'a' * 200_000}]")


def test_a_list_without_an_end_may_have_been_cut() -> None:
    output = output_format(list[str], reasoning=False, where="f")
    assert output.parse("- a\n- b")[0] == ["a", "b"]
    assert output.parse('["a"]\nThis list', cut=True)[0] == ["a"]
    with pytest.raises(OutputParseError):
        output.parse("- a\n- b", cut=True)


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


def test_a_bare_date_is_read() -> None:
    assert of(date).parse("2026-01-02")[0] == of(date).parse('"2026-01-02"')[0] == date(2026, 1, 2)
