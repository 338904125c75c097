"""Captured cases → the study that the optimiser gets: no item, fixture or mark is left in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
from pytest_mipro.plugin.collecting.plan import PlannedCase, StudyKey
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.lock_schema import split_salt
from pytest_mipro.plugin.measuring.fixtures import UsedFixture
from pytest_mipro.plugin.measuring.measure import measure
from pytest_mipro.plugin.measuring.repeated import RepeatedTest

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Captured:
    """A case with its raw call, and the fixtures that it got its arguments from.

    Without a call it is part of a plan, and never run.
    """

    planned: PlannedCase
    call: Callable[[], object] | None = None
    fixtures: tuple[UsedFixture, ...] = ()


def raw_call(item: pytest.Function) -> Callable[[], object]:
    """Return the test with the item's arguments, to be called any number of times."""
    names = item._fixtureinfo.argnames  # noqa: SLF001 - where pytest keeps the names it would pass
    return RepeatedTest(item, item.obj, {name: item.funcargs[name] for name in names})


def build_study(
    key: StudyKey, captured: Sequence[Captured], alone: Collection[str], root: Path
) -> Study:
    """Return the study of captured cases; tests named in `alone` run one case at a time."""
    tests = {item.planned.test.name: item.planned.test for item in captured}
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
        cases=tuple(sorted(map(_case, captured), key=lambda case: case.id)),
        tests=specs,
        salt=split_salt(read_lock(key.lock), key.lock, root),
    )


def _case(captured: Captured) -> Case:
    planned, row = captured.planned, captured.planned.row
    return Case(
        id=planned.id,
        row=row.key,
        test=planned.test.name,
        run=partial(measure, captured.call) if captured.call else _never,
        columns=row.columns,
        split=row.split,
        demo=row.demo,
    )


def _never() -> Outcome:
    raise AssertionError("a case of a plan is never run")
