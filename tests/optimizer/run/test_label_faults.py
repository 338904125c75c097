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


def _row(name: str, test: str = TEST, **columns: Any) -> CaseRun:
    made = run(name, 1.0, call(note, "x", "y"), call(sort, "x", "blue"))
    return replace(made, case=replace(made.case, test=test, columns=columns))


RUNS = [_row("r0", kind="blue"), _row("r1", kind="green")]


def _faults(labels: Mapping[str, str], runs: list[CaseRun] = RUNS) -> list[str]:
    told = label_faults([TestSpec(TEST, labels=labels), TestSpec("test_other")], runs)
    begin = f"labels {dict(labels)!r}: "
    assert all(line.startswith(begin) for line in told)
    return [line.removeprefix(begin) for line in told]


@pytest.mark.parametrize("name", [sort.signature.name, sort.signature.name.rpartition(".")[2]])
def test_a_label_of_a_called_module_and_a_column_is_none(name: str) -> None:
    assert _faults({name: "kind"}) == []


def test_a_misspelt_module_is_told_with_those_that_were_called() -> None:
    names = f"{note.signature.name}, {sort.signature.name}"
    told = f"the committed prompts' cases call no 'srot', but {names}"
    assert _faults({"srot": "kind"}) == [told]


def test_a_misspelt_column_is_told() -> None:
    assert _faults({"sort": "knid"}) == ["no row has a column 'knid'"]


def test_rows_whose_value_is_no_output_are_counted_and_empty_ones_are_not() -> None:
    runs = [*RUNS, _row("r2", kind="bleu"), _row("r3"), _row("r4", kind=""), _row("r5", kind=None)]
    assert _faults({"sort": "kind"}, runs) == ["1 row holds no output of it, such as bleu"]


def test_a_value_is_shown_on_one_short_line() -> None:
    (told,) = _faults({"sort": "kind"}, [*RUNS, _row("r2", kind="bleu\n\x1b[31m" + 99 * "x")])
    assert told.startswith("1 row holds no output of it, such as bleu ")
    assert told.isprintable()
    assert len(told) < 100


def test_a_label_of_several_tests_needs_a_use_in_one() -> None:
    labels = {"note": "text", "sort": "kind"}
    tests = [TestSpec(TEST, labels=labels), TestSpec("test_note", labels=labels)]
    other = run("r6", 1.0, call(note, "x", "y"))
    noted = replace(other, case=replace(other.case, test="test_note", columns={"text": "z"}))
    assert label_faults(tests, [*RUNS, noted]) == ()


def test_a_test_without_calls_has_other_faults() -> None:
    assert _faults({"sort": "kind"}, []) == []
