"""Captured cases: set up like any test, then kept as a call that the study repeats."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.study.case import Case
from pytest_mipro.plugin.measuring.measure import measure
from pytest_mipro.plugin.measuring.repeated import RepeatedTest

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_mipro.optimizer.study.case import Outcome
    from pytest_mipro.plugin.collecting.plan import PlannedCase
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
