"""Output types for the tests, and tables of the replies that are read as values of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel

from pytest_mipro.runtime.signature.output_type import output_format

Team = Literal["bug", "account", "sign-in", "refund", "privacy", "delivery"]


class Order(BaseModel):
    team: str
    days: int
    tags: list[str] = []


def read(annotation: Any, reply: str, *, reasoning: bool = False) -> Any:
    return output_format(annotation, reasoning=reasoning, where="f").parse(reply)[0]


def answers(table: Iterable[tuple[Any, Mapping[str, Any]]]) -> list[tuple[Any, str, Any]]:
    """Return each annotation with each reply and the value that is read in it."""
    return [(annotation, *row) for annotation, rows in table for row in rows.items()]


def refusals(table: Iterable[tuple[Any, Iterable[str]]]) -> list[tuple[Any, str]]:
    """Return each annotation with each reply that is refused."""
    return [(annotation, reply) for annotation, replies in table for reply in replies]
