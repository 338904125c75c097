"""The state of one pytest run with marked tests: what is planned, what came back, the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.plugin.collecting.plan import (
    PlannedCase,
    StudyKey,
    TestPlan,
    by_study,
    plan_cases,
)
from pytest_mipro.plugin.gate.verdict.verdict_types import Verdict
from pytest_mipro.plugin.measuring.report_data import CaseResult, MeasuredCase, ModuleUsage

if TYPE_CHECKING:
    import pytest

_EACH = (
    "--dist each runs a case in several environments, whose scores are no verdict together; run "
    "each environment by itself"
)


class RunState:
    """What one run knows; made once, in `hooks.py`, and passed on.

    On an xdist controller the workers' reports alone fill it. `cases` are the planned cases of this
    process; `verdicts` is filled by `conclude`. `stopped` says why the run ended before its last
    case, "" where it did not. `usages` holds by lock what each case run took.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.cases: tuple[PlannedCase, ...] = ()
        self.verdicts: tuple[Verdict, ...] = ()
        self.usages: dict[str, list[ModuleUsage]] = {}
        self.stopped = ""
        self._partial: set[str] = set()
        self._plans: dict[str, TestPlan] = {}
        self._results: dict[str, dict[str, CaseResult]] = {}
        self._resources = ExitStack()

    @property
    def studies(self) -> Mapping[StudyKey, Sequence[PlannedCase]]:
        """The cases of each study, in collection order."""
        return by_study(self.cases)

    def begin(self, items: Sequence[pytest.Item]) -> None:
        """Plan the cases of the items and serve module calls until `end`; nothing without cases.

        Raises UsageError: a mark, a study or an option that can't be used.
        """
        self.cases = plan_cases(items)
        if not self.cases:
            return
        from pytest_mipro.plugin.replies.serving import serving  # noqa: PLC0415 - not on an xdist controller

        self._resources.enter_context(serving(self.config, self.cases))

    def end(self) -> None:
        """Close the client and restore the settings that were in force before."""
        self._resources.close()

    def record(self, nodeid: str, case: MeasuredCase) -> None:
        """Keep a case's result; that of a case that runs again replaces the one before."""
        self._plans[case.plan.nodeid] = case.plan
        if case.partial:
            self._partial.add(case.plan.lock)
        result = case.result
        paid = self.usages.setdefault(case.plan.lock, [])
        paid += [*result.all_usages, *result.within]
        if self.config.getoption("dist", "no") == "each":
            result = replace(result, outcome=Outcome(None, error=_EACH))
        self._results.setdefault(case.plan.nodeid, {})[nodeid] = result

    def conclude(self) -> tuple[Verdict, ...]:
        """Judge each test that was begun, and return the verdicts by study and test."""
        from pytest_mipro.plugin.gate.verdict.judge import judge, reference_of  # noqa: PLC0415 - at the end alone

        # Workers end in any order: the order of the cases is that of their ids.
        cases = {
            nodeid: sorted(results.values(), key=lambda result: result.id)
            for nodeid, results in self._results.items()
        }
        order = sorted(self._plans.values(), key=lambda plan: (plan.lock, plan.name))
        verdicts: list[Verdict] = []
        for lock, group in groupby(order, key=lambda plan: plan.lock):
            plans = list(group)
            study = [case for plan in plans for case in cases[plan.nodeid]]
            partial = lock in self._partial
            reference = reference_of(self.config, Path(lock), study, partial=partial)
            verdicts += [judge(plan, cases[plan.nodeid], reference) for plan in plans]
        self.verdicts = tuple(verdicts)
        return self.verdicts
