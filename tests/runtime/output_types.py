"""Output types for the tests, and tables of the replies that are read as values of them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.outputs.output_format import OutputFormat
from pytest_mipro.runtime.signature.outputs.output_type import output_format

Team = Literal["bug", "account", "sign-in", "refund", "privacy", "delivery"]


class Order(BaseModel):
    team: str
    days: int
    tags: list[str] = []


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


def of(annotation: Any, reasoning: bool = False) -> OutputFormat:
    return output_format(annotation, reasoning=reasoning, where="desk.py:1: LM module 'desk.f'")


def read(annotation: Any, reply: str, *, reasoning: bool = False) -> Any:
    return output_format(annotation, reasoning=reasoning, where="f").parse(reply)[0]


def table_tests(
    answers: Iterable[tuple[Any, Mapping[str, Any]]],
    refusals: Iterable[tuple[Any, Iterable[str]]],
    *,
    reasoning: bool = False,
) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return two tests: of each annotation's replies and their values, and of those refused."""
    right = [(annotation, *row) for annotation, rows in answers for row in rows.items()]
    wrong = [(annotation, reply) for annotation, replies in refusals for reply in replies]

    @pytest.mark.parametrize(("annotation", "reply", "value"), right)
    def test_answer(annotation: Any, reply: str, value: Any) -> None:
        found = read(annotation, reply, reasoning=reasoning)
        assert (found, type(found)) == (value, type(value)), repr(found)

    @pytest.mark.parametrize(("annotation", "reply"), wrong)
    def test_refusal(annotation: Any, reply: str) -> None:
        with pytest.raises(OutputParseError):
            read(annotation, reply, reasoning=reasoning)

    return test_answer, test_refusal
