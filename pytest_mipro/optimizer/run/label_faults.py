"""Labels of tests that give no demos: misspelt modules and columns, values of another type."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pytest_mipro.errors import OutputParseError
from pytest_mipro.optimizer.study.case import CaseRun, TestSpec
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.text.number_words import counted

Called = tuple[CaseRun, ModuleCall]


def label_faults(tests: Iterable[TestSpec], runs: Collection[CaseRun]) -> tuple[str, ...]:
    """Return a line for each label of a test that gives no demos, or none of some rows."""
    lines = []
    for test in tests:
        calls = [(run, call) for run in runs if run.case.test == test.name for call in run.calls]
        for module, column in test.labels.items() if calls else ():
            if fault := _fault(calls, module, column):
                lines.append(f"{test.name}: labels {{{module!r}: {column!r}}}: {fault}")
    return tuple(lines)


def _fault(calls: Iterable[Called], module: str, column: str) -> str:
    names = dict.fromkeys(call.signature.name for _, call in calls)
    mine = [pair for pair in calls if module in _names(pair[1])]
    if not mine:
        return f"no case called {module!r}, but {', '.join(names)}"
    given = {run.case.row: (run, call) for run, call in mine if column in run.case.columns}
    if not given:
        return f"no row has a column {column!r}"
    wrong = [
        run.case.columns[column]
        for run, call in given.values()
        if not _reads(call, run.case.columns[column])
    ]
    rows = counted(len(wrong), "row holds", "rows hold")
    return f"{rows} no output of it, such as {wrong[0]!r}" if wrong else ""


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
