"""Captured cases: set up like any test, then kept as a call that the study repeats."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.study.case import Case, Study, TestSpec
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.lock_schema import split_salt
from pytest_mipro.plugin.measuring.measure import measure
from pytest_mipro.plugin.measuring.repeated import RepeatedTest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    import pytest

    from pytest_mipro.optimizer.study.case import Outcome
    from pytest_mipro.plugin.collecting.plan import PlannedCase, StudyKey
    from pytest_mipro.plugin.measuring.fixtures import UsedFixture


@dataclass(frozen=True)
class Captured:
    """A case's raw call with its arguments, and the fixtures that it got them from."""

    planned: PlannedCase
    call: Callable[[], object]
    fixtures: tuple[UsedFixture, ...] = ()

    def case(self) -> Case:
        """Return the case as the optimiser sees it: without item, fixture or mark."""
        return planned_case(self.planned, functools.partial(measure, self.call))


def planned_case(planned: PlannedCase, run: Callable[[], Outcome]) -> Case:
    """Return a planned case as the optimiser sees it; `run` calls its test once."""
    row = planned.row
    return Case(
        id=planned.id,
        row=row.key,
        test=planned.test.name,
        run=run,
        columns=row.columns,
        split=row.split,
        demo=row.demo,
    )


def raw_call(item: pytest.Function) -> Callable[[], object]:
    """Return the test with the item's arguments, to be called any number of times."""
    names = item._fixtureinfo.argnames  # noqa: SLF001 - where pytest keeps the names it would pass
    return RepeatedTest(item, item.obj, {name: item.funcargs[name] for name in names})


def captured_study(
    key: StudyKey, captured: Sequence[Captured], alone: Collection[str], root: Path
) -> Study:
    """Return the study of captured cases; tests named in `alone` run one case at a time."""
    return _study(key, [(item.planned, item.case()) for item in captured], alone, root)


def planned_study(key: StudyKey, planned: Sequence[PlannedCase], root: Path) -> Study:
    """Return the study of cases that nobody will run, for a plan."""
    return _study(key, [(item, planned_case(item, _never)) for item in planned], (), root)


def _never() -> Outcome:
    raise AssertionError("a case of a plan is never run")


def _study(
    key: StudyKey,
    members: Sequence[tuple[PlannedCase, Case]],
    alone: Collection[str],
    root: Path,
) -> Study:
    tests = {planned.test.name: planned.test for planned, _ in members}
    specs = {
        name: TestSpec(
            name,
            threshold=test.threshold,
            max_regression=test.max_regression,
            pass_score=test.pass_score,
            repeats=test.repeats,
            labels=test.labels,
            concurrent=test.concurrent and name not in alone,
        )
        for name, test in tests.items()
    }
    return Study(
        name=relative_path(key.lock, root),
        # By id: plugins that shuffle or sort the items must not change a study's path.
        cases=tuple(sorted((case for _, case in members), key=lambda case: case.id)),
        tests=specs,
        salt=split_salt(read_lock(key.lock), key.lock, root),
    )
