"""Which format an annotation gets, and which annotations have none."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from output_types import Odd, of
from pydantic import Field

from pytest_mipro.errors import ModuleDefinitionError, OutputParseError
from pytest_mipro.runtime.signature.outputs.output_type import UnresolvedTypeError


def test_an_annotation_that_adds_a_rule_is_asked_for_by_its_schema() -> None:
    assert of(Annotated[int, "a note"]).kind == "scalar"
    ruled = of(Annotated[int, Field(ge=0, le=5)])
    assert ruled.instruction().endswith("\n<whole number from 0 to 5>")
    with pytest.raises(OutputParseError, match="less than or equal to 5"):
        ruled.parse("6")
    assert of(Annotated[str, Field(max_length=3)]).kind == "json"


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
