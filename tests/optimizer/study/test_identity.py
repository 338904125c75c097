"""Identity: equal inputs are one row, related rows one unit."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.study.identity import (
    RowTag,
    content_digest,
    equal_rows,
    seen_digest,
    unit_contents,
    units_of,
)
from pytest_mipro.runtime.calls.trace import ModuleCall


def call(name: str, *, frozen: bool = False, error: str = "", **inputs: object) -> ModuleCall:
    signature = SimpleNamespace(name=name, optimize=not frozen, prompt_path=Path(name))
    return cast("ModuleCall", SimpleNamespace(signature=signature, inputs=inputs, error=error))


def shows(row: str, **seen: str) -> list[RowTag]:
    return [RowTag(row, test=test, seen=what) for test, what in seen.items()]


def test_what_a_judge_sees_and_the_order_of_calls_tell_no_case() -> None:
    one = [call("route", text="a"), call("judge", frozen=True, label="x"), call("say", n=1)]
    other = [call("say", n=1), call("route", text="a"), call("judge", frozen=True, label="y")]
    assert seen_digest(one) == seen_digest(other) != ""
    assert seen_digest([call("route", text="b"), call("say", n=1)]) != seen_digest(one)


@pytest.mark.parametrize(
    "calls", [[], [call("route")], [call("judge", frozen=True, x=1)], [call("a", error="no", x=1)]]
)
def test_calls_that_do_not_tell_the_case(calls: list[ModuleCall]) -> None:
    assert seen_digest(calls) == ""


def test_rows_are_equal_if_they_are_so_in_every_test_that_they_share() -> None:
    tags = [
        *shows("a", queue="1", reply="x"),
        *shows("b", queue="1", reply="x"),
        *shows("c", queue="1"),
        *shows("d", queue="2", reply="x"),  # the same product, another ticket
        *shows("e", other="1"),
        *shows("f", queue=""),
    ]
    assert equal_rows(tags) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "f"}


def test_a_cluster_joins_what_equal_rows_joined() -> None:
    tags = [
        *shows("a", queue="1"),
        *shows("b", queue="1"),
        RowTag("b", cluster="x"),
        RowTag("c", cluster="x"),
        RowTag("d", cluster="y"),
    ]
    assert units_of(tags) == {"a": "a", "b": "a", "c": "a", "d": "d"}


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_the_order_of_cases_changes_nothing(cases: list[Any]) -> None:
    tags = [RowTag(str(row), test="t", seen=str(s), cluster=str(c)) for row, s, c in cases]
    units = units_of(tags)
    assert units == units_of(tags[::-1])
    assert all(units[unit] == unit for unit in units.values())


def test_large_units_do_not_come_first() -> None:
    tags = [RowTag(f"s{i}", content=content_digest(i)) for i in range(300)]
    tags += [
        RowTag(f"l{i}", content=content_digest([i]), cluster=f"{i // 10}") for i in range(3000)
    ]
    ranks = unit_contents(tags, units_of(tags))
    first = sorted(ranks, key=ranks.__getitem__)[:300]
    assert 120 < sum(unit.startswith("l") for unit in first) < 180
