"""Output types for the tests, and tables of the replies that are read as values of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pytest_mipro.runtime.signature.output_format import OutputFormat
from pytest_mipro.runtime.signature.output_type import output_format

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


def answers(table: Iterable[tuple[Any, Mapping[str, Any]]]) -> list[tuple[Any, str, Any]]:
    """Return each annotation with each reply and the value that is read in it."""
    return [(annotation, *row) for annotation, rows in table for row in rows.items()]


def refusals(table: Iterable[tuple[Any, Iterable[str]]]) -> list[tuple[Any, str]]:
    """Return each annotation with each reply that is refused."""
    return [(annotation, reply) for annotation, replies in table for reply in replies]
