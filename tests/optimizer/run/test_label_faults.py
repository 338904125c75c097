"""Labels that give no demos are told, with what is there in their place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from made_runs import call, run
from optimizer_world import note, sort

from pytest_mipro.optimizer.run.label_faults import label_faults
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec

TEST = "test_sort"


def _row(name: str, **columns: Any) -> CaseRun:
    made = run(name, 1.0, call(note, "x", "y"), call(sort, "x", "sea"))
    return replace(made, case=replace(made.case, test=TEST, columns=columns))


RUNS = [_row("r0", kind="blue"), _row("r1", kind="green")]


def _faults(labels: Mapping[str, str], runs: list[CaseRun] = RUNS) -> list[str]:
    told = label_faults([TestSpec(TEST, labels=labels), TestSpec("test_other")], runs)
    begin = f"{TEST}: labels {dict(labels)!r}: "
    assert all(line.startswith(begin) for line in told)
    return [line.removeprefix(begin) for line in told]


@pytest.mark.parametrize("name", [sort.signature.name, sort.signature.name.rpartition(".")[2]])
def test_a_label_of_a_called_module_and_a_column_is_none(name: str) -> None:
    assert _faults({name: "kind"}) == []


def test_a_misspelt_module_is_told_with_those_that_were_called() -> None:
    names = f"{note.signature.name}, {sort.signature.name}"
    assert _faults({"srot": "kind"}) == [f"no case called 'srot', but {names}"]


def test_a_misspelt_column_is_told() -> None:
    assert _faults({"sort": "knid"}) == ["no row has a column 'knid'"]


def test_rows_whose_value_is_no_output_are_counted() -> None:
    runs = [*RUNS, _row("r2", kind="sae"), _row("r3")]
    assert _faults({"sort": "kind"}, runs) == ["1 row holds no output of it, such as 'sae'"]


def test_a_test_without_calls_has_other_faults() -> None:
    assert _faults({"sort": "kind"}, []) == []
