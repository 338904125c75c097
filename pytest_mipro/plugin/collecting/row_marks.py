"""Refuse marks of a test's rows that can't hold for the test as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.plugin.collecting.cases import (
    case_row,
    marked_tests,
    model_of,
    nodeid_of_test,
    parameters_of,
)
from pytest_mipro.plugin.collecting.marks import MARK, MetricMark, checked

MarkedItem = tuple[pytest.Item, MetricMark]
_REMEDY = "put it on the test function, its class or its file"
# What a row may say for itself: see `plan.py`.
_OF_A_ROW = frozenset({"rerun_safe", "concurrent", "labels"})


def refuse_unfit_rows(marked: Sequence[MarkedItem]) -> None:
    """Raise UsageError for marks of one test's items that can't be those of one test.

    Called at collection, and again for what hooks have marked since.
    """
    for item, mark in marked:
        _refuse_late_models(item, mark)
    _refuse_differences(marked)
    if nodeid_of_test(marked[0][0]) not in marked_tests(marked[0][0].config):
        _refuse_unknown_group(marked)  # of all its rows: those selected may lack the column


def _refuse_late_models(item: pytest.Item, mark: MetricMark) -> None:
    """Refuse `models` that came too late to make a case of each: on a case, or by a hook."""
    if mark.models and not model_of(item):
        raise UsageError(
            f"{item.nodeid}: @pytest.mark.{MARK}: models={list(mark.models)!r} came when the cases "
            f"were made already; {_REMEDY}"
        )


def _refuse_differences(marked: Sequence[MarkedItem]) -> None:
    """Refuse an argument that rows give differently: the order of the rows would decide."""
    first: dict[str, object] = {}
    for item, mark in marked:
        for name, value in (*_of_the_test(mark), *_of_the_row(item)):
            known = first.setdefault(name, value)
            if known != value:
                raise UsageError(
                    f"{nodeid_of_test(item)}: @pytest.mark.{MARK}: {name} holds for the whole "
                    f"test, but is {known!r}, and {value!r} for {parameters_of(item)}; {_REMEDY}"
                )


def _of_the_test(mark: MetricMark) -> Iterator[tuple[str, object]]:
    """Yield the arguments that all rows must agree on; of `labels`, the column of each module."""
    yield from ((name, value) for name, value in vars(mark).items() if name not in _OF_A_ROW)
    yield from ((f"labels[{module!r}]", column) for module, column in mark.labels.items())


def _of_the_row(item: pytest.Item) -> Iterator[tuple[str, object]]:
    """Yield what the row's own mark gives: pytest lets that of the function win over it."""
    for mark in getattr(getattr(item, "callspec", None), "marks", ()):
        if mark.name == MARK:
            yield from ((name, it) for name, it in checked(mark).items() if name not in _OF_A_ROW)


def _refuse_unknown_group(marked: Sequence[MarkedItem]) -> None:
    """Refuse a mark's `group` that is a column of no case of its test."""
    item, mark = marked[0]
    if mark.group is None:
        return
    columns = {column for each, _ in marked for column in case_row(each).columns}
    if mark.group not in columns:
        raise UsageError(
            f"{nodeid_of_test(item)}: @pytest.mark.{MARK}: group={mark.group!r} is no column of "
            f"its cases; columns: {', '.join(sorted(columns)) or 'none'}"
        )
