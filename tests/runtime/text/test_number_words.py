"""Numbers in sentences; and that the package's messages use them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest_mipro
from pytest_mipro.runtime.text.number_words import counted

PACKAGE = Path(pytest_mipro.__file__).parent
PLURAL = re.compile(
    r" (?:(?:distinct|new|more|validation|holdout|LM|case|demo) )*"
    r"(?:bytes|calls|cases|clusters|columns|demos|files|instructions|lines|programs|prompts|"
    r"proposals|replies|requests|rounds|rows|runs|samples|sets|studies|tokens|trials|values)\b"
)
MORE_THAN_ONE = {"len(marks)", "len(found)", "call.requests", "k"}
NO_NUMBER = {"case.id", "module", "step.name"}


def test_one_has_no_plural() -> None:
    assert [counted(n, "case") for n in (0, 1, 2000)] == ["0 cases", "1 case", "2,000 cases"]
    assert [counted(count, "reply", "replies") for count in (1, 2)] == ["1 reply", "2 replies"]
    assert counted(1, "row detects", "rows detect") == "1 row detects"


def numbers_before_plurals(source: str) -> Iterator[str]:
    """Yield the values of f-strings that stand before a plural, whatever they are."""
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in pairwise(parts):
            said = isinstance(text, ast.Constant) and PLURAL.match(str(text.value))
            if said and isinstance(value, ast.FormattedValue):
                in_column = value.format_spec is not None and ">" in ast.unparse(value.format_spec)
                shown = ast.unparse(value.value)
                if not (in_column or shown.isupper() or shown in MORE_THAN_ONE | NO_NUMBER):
                    yield f"{shown}{text.value}"


def test_no_message_has_a_plural_of_its_own() -> None:
    assert list(numbers_before_plurals('f"{count:,} new cases"')) == ["count new cases"]
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if re.search(rf"\}}{PLURAL.pattern}", source) and "simulated" not in path.parts:
            assert list(numbers_before_plurals(source)) == [], path
