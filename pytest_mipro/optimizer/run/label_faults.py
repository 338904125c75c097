"""Labels of tests that give no demos: misspelt modules and columns, values of another type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from pytest_mipro.errors import OutputParseError
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import one_line

_SHOWN = 60  # characters of a value
Called = tuple[CaseRun, ModuleCall]


def label_faults(tests: Iterable[TestSpec], runs: Collection[CaseRun]) -> tuple[str, ...]:
    """Return a line for each label that gives no demos, or none of some rows.

    A mark may be that of several tests: a label is told if none of them has a use for it.
    """
    marked: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for test in tests:
        for label in test.labels.items():
            marked[label].add(test.name)
    lines = []
    for (module, column), names in marked.items():
        calls = [(run, call) for run in runs if run.case.test in names for call in run.calls]
        if fault := _fault(calls, module, column) if calls else "":
            lines.append(f"labels {{{module!r}: {column!r}}}: {fault}")
    return tuple(lines)


def _fault(calls: Iterable[Called], module: str, column: str) -> str:
    mine = [(run, call) for run, call in calls if module in _names(call)]
    if not mine:
        called = dict.fromkeys(call.signature.name for _, call in calls)
        return f"the committed prompts' cases call no {module!r}, but {', '.join(called)}"
    given = [(run, call) for run, call in mine if run.case.columns.get(column) not in (None, "")]
    if not given:
        return f"no row has a column {column!r}"
    read = {run.case.row for run, call in given if _reads(call, run.case.columns[column])}
    wrong = {run.case.row: run.case.columns[column] for run, _ in given}
    wrong = {row: value for row, value in wrong.items() if row not in read}
    if not wrong:
        return ""
    rows = counted(len(wrong), "row holds", "rows hold")
    value = one_line(to_text(next(iter(wrong.values()))), _SHOWN)
    return f"{rows} no output of it, such as {value}"


def _names(call: ModuleCall) -> tuple[str, str]:
    """Return the names that a label may give a module: its own, or its function's."""
    name = call.signature.name
    return name, name.rpartition(".")[2]


def _reads(call: ModuleCall, value: object) -> bool:
    try:
        call.signature.output.load(value)
    except OutputParseError:
        return False
    return True
