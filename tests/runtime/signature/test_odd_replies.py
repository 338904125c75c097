"""Whatever a reply holds, it is read or refused: no other error leaves the parser."""

# ruff: noqa: RUF001, UP045 - odd letters, and the old spellings of unions, are read, too

from __future__ import annotations

import contextlib
import random
from datetime import date
from typing import Annotated, Any, Literal, Optional

import pytest
from output_types import Item, Label, Level, Order, Plain, Reply, of, read
from pydantic import AfterValidator

from pytest_mipro.errors import OutputParseError

PARTS = [
    *("{", "}", "[", "]", '"', "'", ":", ",", "\n", "\n\n", "\r", "\r\n", "\t", "\\", "|", "/*"),
    *("team", "days", "name", "billing", "bug", "how-to", "n/a", "a", "LOW", "true", "none"),
    *("null", "NaN", "Infinity", "1e309", "5", "3.5", "1,000", "-", "%", "/", "of", "10"),
    *("2024-01-02", "Answer:", "<answer>", "</answer>", "<reasoning>", "</reasoning>", "<think>"),
    *("</think>", "```", "```json\n", "**", "# ", "1. ", "- ", "is", "not", "or", "?", "...", "."),
    *("<|channel|>final<|message|>", "</s>", "&quot;", "\ud83d", "\u2028", "\xa0", "\u3000"),
    *("İ", "ı", "ß", "ſ", "K", "\u0663", "²", "½", "€", "\x00", "“", "<p>", "</p>", "\\boxed{"),
]
TYPES: list[Any] = [
    *(str, int, float, bool, Label, Level, Plain, Item, Order, Reply, date, list[str], list[int]),
    *(list[Label], set[str], tuple[int, str], dict[str, int], Optional[float], Optional[Order]),
    *(Optional[Label], Literal[1, 2], Item | Order, Optional[str], int | str),
]


@pytest.mark.parametrize("reasoning", [False, True])
def test_nothing_but_its_own_error_leaves_the_parser(reasoning: bool) -> None:
    draw, formats = random.Random(8), [of(annotation, reasoning) for annotation in TYPES]
    for _ in range(150):
        reply = "".join(
            draw.choice(PARTS) + draw.choice(["", " "]) for _ in range(draw.randint(1, 12))
        )
        for output in formats:
            with contextlib.suppress(OutputParseError):
                output.parse(reply)


@pytest.mark.parametrize("annotation", [list[str], set[str], tuple[int, ...]])
def test_an_empty_answer_is_no_list(annotation: Any) -> None:
    for reply in ("<answer></answer>", "<answer>\n</answer>", "```\n```", "a\rb"):
        with pytest.raises(OutputParseError, match="is not JSON"):
            read(annotation, reply)


@pytest.mark.parametrize("annotation", [Optional[float], Optional[Order], date, float, Label, bool])
def test_what_is_no_finite_number_is_refused(annotation: Any) -> None:
    for reply in ('{"price": NaN}', "[NaN]", '{"n": Infinity}'):
        with pytest.raises(OutputParseError):
            read(annotation, reply)


@pytest.mark.parametrize("blank", ["\xa0", "\u3000", "\u2028"])
def test_any_blank_may_follow_a_label(blank: str) -> None:
    for reply in (f"billing:{blank}", f"billing,{blank}", f"**billing**:{blank}"):
        assert read(Label, reply) == "billing"


def test_labels_in_turkish_capitals_are_known() -> None:
    mixed = Literal["iptal", "SIFIR", "in progress"]
    for reply in ("İPTAL", "İptal, çünkü bitti", "ıptal"):
        assert read(Literal["iptal", "iade"], reply) == "iptal"
    assert read(mixed, "sıfır") == "SIFIR"
    assert read(mixed, "Durum: İn progress") == "in progress"
    assert read(Literal["ısı", "isi"], "ısı") == "ısı"


def test_brackets_nested_at_any_depth_are_read_or_refused() -> None:
    for depth in range(100, 1100, 20):
        for annotation in (list[Any], Order, Label, date):
            with contextlib.suppress(OutputParseError):
                read(annotation, "[" * depth + "]" * depth)


def broken(value: str) -> str:
    return {"a": "b"}[value]


def test_a_fault_in_the_programs_own_check_is_its_own_error() -> None:
    annotation = list[Annotated[str, AfterValidator(broken)]]
    assert read(annotation, '["a"]') == ["b"]
    with pytest.raises(KeyError):
        read(annotation, '["c"]')
