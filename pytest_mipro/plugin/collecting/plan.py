"""Plan a run: each marked test with its study, each item with its case."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_mipro.errors import UsageError
from pytest_mipro.optimizer.study.case import TestSpec
from pytest_mipro.optimizer.study.identity import RowTag, equal_rows
from pytest_mipro.plugin.collecting.case_files import Row
from pytest_mipro.plugin.collecting.cases import (
    MODEL,
    MODEL_SIGN,
    case_row,
    expected_count,
    inputs_digest,
    marked_tests,
    model_of,
    nodeid_of_test,
    parameters_of,
)
from pytest_mipro.plugin.collecting.marks import MARK, MetricMark, metric_mark
from pytest_mipro.plugin.collecting.row_marks import MarkedItem, refuse_unfit_rows
from pytest_mipro.plugin.collecting.study_home import home_of
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.lock.lock_file import SUFFIX

SUBTESTS = "subtests"
NO_SUBTESTS = "`subtests` has no one score; parametrise the test instead"


@dataclass(frozen=True)
class StudyKey:
    """A study: the name that the user reads, and the path of its lock, which identifies it.

    `named` is true where marks name the study, false where it is that of one test file.
    """

    name: str
    lock: Path
    named: bool = False


@dataclass(frozen=True, kw_only=True)
class TestPlan(TestSpec):
    """A marked test in this run; JSON can hold all of it, as it travels on reports.

    `study` and `lock` are those of its `StudyKey`. `expected` counts the test's cases, 0 where
    that is not known; `selected` counts those of this run. `model` is the one of the mark's models
    that its cases run with, "" without any; each is a test of its own. `takes_model` tells that the
    test, or a fixture of it, takes the model as an argument. The others are the mark's arguments.
    """

    nodeid: str
    study: str
    lock: str
    expected: int
    selected: int
    group: str | None = None
    model: str = ""
    models: tuple[str, ...] = ()
    takes_model: bool = False

    @property
    def bare_name(self) -> str:
        """The name of the test without the model."""
        return self.name.removesuffix(f"{MODEL_SIGN}{self.model}") if self.model else self.name

    @property
    def partial(self) -> bool:
        """Whether some of the test's cases are not part of this run."""
        return self.selected < self.expected

    @property
    def gated(self) -> bool:
        """Whether the test as a whole is judged; if not, each case must pass by itself."""
        return not self.partial and (self.threshold is not None or self.max_regression is not None)


@dataclass(frozen=True)
class PlannedCase:
    """An item's case: its id, unique in the study, its row, its test and its study.

    `rerun_safe` names the fixtures that the item's own mark declares safe to share.
    """

    item: pytest.Item
    id: str
    row: Row
    test: TestPlan
    study: StudyKey
    rerun_safe: tuple[str, ...] = ()


PLANNED = pytest.StashKey[PlannedCase]()
"""In the stash of each marked item of the run."""


def plan_cases(items: Iterable[pytest.Item]) -> tuple[PlannedCase, ...]:
    """Return the cases of the marked items, in their order; each is also in its item's stash.

    A node id that comes twice, as by `--keep-duplicates`, is one case: its last run counts. Rows
    of a study that give its tests equal inputs get one key, whatever their ids are. Raises
    UsageError for a mark that can't be used, and for two case files of one name in a study.
    """
    marked = [(item, mark) for item in items if (mark := metric_mark(item)) is not None]
    studies = _studies(marked)
    by_test: defaultdict[str, list[MarkedItem]] = defaultdict(list)
    for item, mark in marked:
        if problem := refusal(item):  # marked by a hook: the others were refused at collection
            raise UsageError(problem)
        by_test[nodeid_of_test(item)].append((item, mark))
    for of_test in by_test.values():
        refuse_unfit_rows(of_test)
    tests: dict[str, TestPlan] = {}
    planned = []
    for item, mark in marked:
        nodeid = nodeid_of_test(item)
        study = studies[item.nodeid]
        if nodeid not in tests:
            tests[nodeid] = _test_plan(by_test[nodeid], study)
        test = tests[nodeid]
        id_, row = f"{test.name}{parameters_of(item)}", case_row(item)
        planned.append(PlannedCase(item, id_, row, test, study, mark.rerun_safe))
    _refuse_files_of_one_name(planned)
    found = tuple(_with_equal_rows(planned))
    for case in found:
        case.item.stash[PLANNED] = case
    return tuple({case.item.nodeid: case for case in reversed(found)}.values())[::-1]


def by_study(cases: Iterable[PlannedCase]) -> dict[StudyKey, list[PlannedCase]]:
    """Return the cases of each study, studies in the order of their locks' paths."""
    groups: defaultdict[StudyKey, list[PlannedCase]] = defaultdict(list)
    for case in cases:
        groups[case.study].append(case)
    return {key: groups[key] for key in sorted(groups, key=lambda key: str(key.lock))}


def _with_equal_rows(planned: Sequence[PlannedCase]) -> Iterator[PlannedCase]:
    """Yield the cases; rows of a study with equal inputs get the key of the first of them."""
    keys = {
        study: equal_rows(
            RowTag(case.row.key, test=case.test.name, seen=inputs_digest(case.item, case.row))
            for case in cases
        )
        for study, cases in by_study(planned).items()
    }
    for case in planned:
        key = keys[case.study][case.row.key]
        same = key == case.row.key
        yield case if same else replace(case, row=replace(case.row, key=key))


def refusal(item: pytest.Item) -> str | None:
    """Return why a marked item can't be measured, in one line; None where it can."""
    import inspect  # noqa: PLC0415
    import unittest  # noqa: PLC0415

    where = f"{item.nodeid}: @pytest.mark.{MARK}: "
    owner = getattr(item, "cls", None)
    if owner is not None and issubclass(owner, unittest.TestCase):
        return f"{where}a unittest.TestCase can't be measured; use a plain class or a function"
    if not isinstance(item, pytest.Function):
        kind = type(item).__name__
        return f"{where}only test functions can be measured, this is a {kind}; remove the mark"
    function = inspect.unwrap(item.function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return f"{where}the test is a generator; a test returns its score, so replace `yield`"
    if SUBTESTS in item.fixturenames:
        return f"{where}{NO_SUBTESTS}"
    if item.config.getoption("forked", False) or item.get_closest_marker("forked"):
        return f"{where}a score does not come back from pytest-forked's processes; do without it"
    return None


def _studies(marked: Sequence[tuple[pytest.Item, MetricMark]]) -> dict[str, StudyKey]:
    homes = _homes(marked)
    keys: dict[str, StudyKey] = {}
    for item, mark in marked:
        if mark.study is None:
            name = item.nodeid.partition("::")[0]
            keys[item.nodeid] = StudyKey(name, item.path.with_name(f"{item.path.stem}{SUFFIX}"))
        else:
            lock = homes[mark.study] / f"{mark.study}{SUFFIX}"
            keys[item.nodeid] = StudyKey(mark.study, lock, named=True)
    return _merged(keys)


def _refuse_files_of_one_name(planned: Iterable[PlannedCase]) -> None:
    """Refuse two case files of a study whose rows would have the same keys."""
    first: dict[tuple[StudyKey, str], Path] = {}
    for case in planned:
        file = case.row.file
        if file is None:
            continue
        known = first.setdefault((case.study, file.name), file)
        if known != file and known.resolve() != file.resolve():
            root = case.item.config.rootpath
            raise UsageError(
                f"{case.test.nodeid}: study {case.study.name!r} has two case files of one name, "
                f"{os.path.relpath(known, root)} and {os.path.relpath(file, root)}, whose rows "
                "can't be told apart; rename one"
            )


def _homes(marked: Sequence[tuple[pytest.Item, MetricMark]]) -> dict[str, Path]:
    """Return the folder of each named study: of the files that it has, else of its first test file.

    That is the first by path of all collected, selected or not.
    """
    files: defaultdict[str, set[Path]] = defaultdict(set)
    for item, mark in marked:
        if mark.study is not None:
            files[mark.study].add(item.path)
    if not files:
        return {}
    config = marked[0][0].config
    for nodeid, study in marked_tests(config).items():
        if study is not None and study in files:
            files[study].add(config.rootpath / nodeid.partition("::")[0])
    return {
        name: home_of(config, name, tests) or min(tests, key=str).parent
        for name, tests in files.items()
    }


def _merged(keys: dict[str, StudyKey]) -> dict[str, StudyKey]:
    """Refuse a named study whose lock would be that of another test file's own study."""
    names: dict[Path, str] = {}
    for nodeid, key in keys.items():
        if names.setdefault(key.lock, key.name) != key.name:
            raise UsageError(
                f"{nodeid}: study {key.name!r} and study {names[key.lock]!r} have one lock, "
                f"{key.lock.name}; rename the study"
            )
    return keys


def _test_plan(of_test: Sequence[MarkedItem], study: StudyKey) -> TestPlan:
    """Return the plan of a test from its items with their marks, which are alike in all else.

    One case that can't run beside others, or a label of one parameter, holds for the whole test.
    """
    (item, mark), marks = of_test[0], [mark for _, mark in of_test]
    mark = replace(
        mark,
        concurrent=all(mark.concurrent for mark in marks),
        labels={output: column for mark in marks for output, column in mark.labels.items()},
    )
    nodeid = nodeid_of_test(item)
    inner = nodeid.partition("::")[2]
    if mark.study is not None:
        place = relative_path(item.path, study.lock.parent)
        inner = f"{place}::{inner}"
    own = ("study", "rerun_safe")
    of_mark = {name: value for name, value in vars(mark).items() if name not in own}
    return TestPlan(
        nodeid=nodeid,
        name=inner,
        study=study.name,
        lock=str(study.lock),
        expected=expected_count(item.config, nodeid),
        selected=len({each.nodeid for each, _ in of_test}),
        model=model_of(item),
        takes_model=MODEL in getattr(item, "fixturenames", ()),
        **of_mark,
    )
