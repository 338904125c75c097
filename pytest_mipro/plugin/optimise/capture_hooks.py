"""The hooks of `--mipro-optimize`: capture case items, and run them as a study behind the last one.

No item, fixture or mark is left in the study that the optimiser gets.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

from pytest_mipro.errors import UsageError
from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
from pytest_mipro.plugin.collecting.partial_study import is_partial
from pytest_mipro.plugin.collecting.plan import PLANNED, PlannedCase, StudyKey, by_study
from pytest_mipro.plugin.config.cache_folder import ini_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.plugin.gate.state import RunState
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.prompt_targets import check_conflicts
from pytest_mipro.plugin.lock.write_journal import HeaderLines
from pytest_mipro.plugin.measuring.fixtures import (
    FixtureWatch,
    UsedFixture,
    check_alive,
    check_before,
    shared_fixtures,
)
from pytest_mipro.plugin.measuring.measure import measure
from pytest_mipro.plugin.measuring.repeated import RepeatedTest
from pytest_mipro.plugin.measuring.report_data import attach
from pytest_mipro.plugin.optimise.foreseen import called_before, modules_called, refuse_foreseen
from pytest_mipro.plugin.optimise.inputs.budget_limits import StudyBills
from pytest_mipro.plugin.optimise.inputs.optimizer_inputs import BuiltIns
from pytest_mipro.plugin.optimise.pending_changes import PendingChanges
from pytest_mipro.plugin.optimise.plan_study import plan_study
from pytest_mipro.plugin.optimise.run_study import run_study
from pytest_mipro.plugin.optimise.screen.terminal_screen import TerminalScreen
from pytest_mipro.plugin.optimise.study_inputs import StudyInputs
from pytest_mipro.plugin.optimise.study_item import OptimizeItem
from pytest_mipro.plugin.replies.fixture_calls import first_error, trace_fixtures
from pytest_mipro.plugin.report.contents import OPTIMIZATIONS, Optimizations
from pytest_mipro.runtime.calls.trace import ModuleCall


@dataclass(frozen=True)
class Captured:
    """A case with its raw call, the fixtures that it got its arguments from, and their LM calls.

    Without a call it is part of a plan, and never run.
    """

    planned: PlannedCase
    call: Callable[[], object] | None = None
    fixtures: tuple[UsedFixture, ...] = ()
    fixture_calls: tuple[ModuleCall, ...] = ()


def begin_optimize(state: RunState, session: pytest.Session) -> None:
    """Deselect unmarked tests and repeated cases, and put each study's item behind its last case.

    Raises UsageError for marks, locks and fixtures that can't be used.
    """
    state.begin(session.items)
    cases = {case.item for case in state.cases}
    kept = [item for item in dict.fromkeys(session.items) if item in cases]
    if others := [item for item in session.items if item not in cases]:
        session.config.hook.pytest_deselected(items=others)
    session.items[:] = kept
    session.testscollected = len(session.items)
    if not state.cases and (session.testsfailed or sys.exc_info()[0]):
        return  # pytest tells what kept it from collecting
    if not state.cases:
        line = "mipro: nothing to optimise, no selected test carries @pytest.mark.mipro"
        session.config.pluginmanager.register(HeaderLines([line]), "mipro-nothing")
        return
    locks = {key.lock: read_lock(key.lock) for key in state.studies}
    called = {
        key.lock: called_before(cases, modules_called(session.config, key) or ())
        for key, cases in state.studies.items()
    }
    check_conflicts({path: lock for path, lock in locks.items() if lock is not None}, called)
    optimization = Optimization(session.config)
    session.config.pluginmanager.register(optimization, "mipro-optimization")
    optimization.add_items(session, state.cases)


class Optimization:
    """The hooks of a run under `--mipro-optimize`."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._options = options_of(config)
        self._watch = FixtureWatch()
        self._captured: dict[str, Captured] = {}
        self._left_out: set[str] = set()
        self._own_items: set[str] = set()
        self._lfplugin: Any = config.pluginmanager.get_plugin("lfplugin")
        self._last_failed = dict(getattr(self._lfplugin, "lastfailed", {}))
        self.changes = PendingChanges(config)
        StudyBills(config)
        config.pluginmanager.register(BuiltIns(), "mipro-built-ins")
        config.pluginmanager.register(Optimizations(), OPTIMIZATIONS)
        config.pluginmanager.register(self.changes, "mipro-changes")
        config.pluginmanager.register(self._watch, "mipro-fixture-watch")
        self._fixtures = trace_fixtures(config)

    def add_items(self, session: pytest.Session, cases: Sequence[PlannedCase]) -> None:
        """Check the cases, and put each study's item behind its last case.

        In a dry run the case items give way to it: nothing is set up. Raises UsageError for
        fixtures that can't serve repeated calls.
        """
        for case in cases:
            if isinstance(case.item, pytest.Function):
                check_before(case.item, self._rerun_safe(case))
        place = {item: index for index, item in enumerate(session.items)}
        behind: dict[pytest.Item, OptimizeItem] = {}
        for key, members in by_study(cases).items():
            last = max((case.item for case in members), key=place.__getitem__)
            behind[last] = OptimizeItem.behind(members, key.name, partial(self._run, key, members))
        self._own_items = {item.nodeid for item in behind.values()}
        session.items[:] = [
            each
            for item in session.items
            for each in (item, behind.get(item))
            if each is not None and (each is not item or not self._options.dry_run)
        ]
        session.testscollected = len(session.items)

    def _rerun_safe(self, case: PlannedCase) -> set[str]:
        return {*case.rerun_safe, *self._options.rerun_safe}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Capture a case instead of calling it."""
        planned = item.stash.get(PLANNED, None)
        if planned is None or not isinstance(item, pytest.Function):
            return
        set_ups = self._fixtures.of(item)
        if evaluate_xfail_marks(item):
            self._left_out.add(item.nodeid)
        elif error := first_error(set_ups):
            pytest.fail(error, pytrace=False)  # not captured: the study can't be measured
        else:
            names = item._fixtureinfo.argnames  # noqa: SLF001 - what pytest would pass
            call = RepeatedTest(item, item.obj, {name: item.funcargs[name] for name in names})
            called = tuple(each for made in set_ups for each in made.trace.calls)
            self._captured[item.nodeid] = Captured(planned, call, self._watch.used(item), called)
        item.runtest = lambda: None  # type: ignore[method-assign] # its call belongs to the study

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark a captured case's report; remember which cases were skipped in their set-up."""
        report = yield
        if PLANNED in item.stash:
            broken = first_error(self._fixtures.of(item))
            if report.when == "setup" and report.skipped and not broken:
                self._left_out.add(item.nodeid)
            if report.when == "call" and call.excinfo is None:
                report.outcome, report.longrepr = "passed", None
                attach(report, status="captured")
        elif isinstance(item, OptimizeItem):
            item.tidy(report, call)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Keep the state of --sw: captured cases did not pass, and a study is no test."""
        self._config.pluginmanager.unregister(name="stepwiseplugin")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Keep the last run's failures: captured cases did not pass, studies are no tests."""
        if self._lfplugin is not None:
            failed = self._lfplugin.lastfailed  # keys are texts, since pytest 9 objects
            new = {key: True for key in failed if str(key) not in self._own_items}
            self._lfplugin.lastfailed = self._last_failed | new

    def _run(self, key: StudyKey, cases: Sequence[PlannedCase], screen: TerminalScreen) -> None:
        """Run a study, or draw its plan; `changes` knows which one runs if it is interrupted."""
        self.changes.begin(key)
        told = self._options.dry_run  # under -q, too: the plan is what was asked for
        screen.line("", always=told)
        screen.line(f"mipro: {key.name}", always=told, bold=True)
        inputs = self._inputs(key, cases)
        run = plan_study if self._options.dry_run else run_study
        run(inputs, screen)
        self.changes.end()

    def _inputs(self, key: StudyKey, cases: Sequence[PlannedCase]) -> StudyInputs:
        """Return what the study's run needs.

        Raises UsageError where a case was not set up, or lost a fixture since.
        """
        if self._options.dry_run:
            runnable = [
                Captured(case)
                for case in cases
                if not evaluate_skip_marks(case.item) and evaluate_xfail_marks(case.item) is None
            ]
            refuse_foreseen(self._config, key, [c.planned for c in runnable], self._rerun_safe)
        else:
            runnable = [self._found(c) for c in cases if c.item.nodeid not in self._left_out]
        if not runnable:
            raise UsageError(f"study {key.name}: every case was skipped in its set-up")
        shared: dict[str, set[str]] = {}
        for item in runnable:
            if names := shared_fixtures(item.fixtures, self._rerun_safe(item.planned)):
                shared.setdefault(item.planned.test.name, set()).update(names)
        return StudyInputs(
            self._config,
            key,
            build_study(key, runnable, shared, ini_folder(self._config)),
            alone={test: tuple(sorted(names)) for test, names in shared.items()},
            partial=is_partial(self._config, key, cases),
            changes=self.changes,
            planned=cases,
            fixture_calls=[call for each in runnable for call in each.fixture_calls],
        )

    def _found(self, case: PlannedCase) -> Captured:
        captured = self._captured.get(case.item.nodeid)
        if captured is None:
            raise UsageError(
                f"{case.item.nodeid}: its set-up failed, so the study can't be measured; repair it"
            )
        check_alive(case.item.nodeid, captured.fixtures, self._watch, self._rerun_safe(case))
        return captured


def build_study(
    key: StudyKey, captured: Sequence[Captured], alone: Collection[str], root: Path
) -> Study:
    """Return the study of captured cases; tests named in `alone` run one case at a time."""
    specs = {
        test.name: TestSpec(
            test.name,
            threshold=test.threshold,
            max_regression=test.max_regression,
            confidence=test.confidence,
            pass_score=test.pass_score,
            repeats=test.repeats,
            labels=test.labels,
            concurrent=test.concurrent and test.name not in alone,
        )
        for test in (item.planned.test for item in captured)
    }
    return Study(
        name=relative_path(key.lock, root),
        # By id: plugins that shuffle or sort the items must not change a study's path.
        cases=tuple(sorted(map(_case, captured), key=lambda case: case.id)),
        tests=specs,
    )


def _case(captured: Captured) -> Case:
    planned, row = captured.planned, captured.planned.row
    return Case(
        id=planned.id,
        row=row.key,
        test=planned.test.name,
        run=partial(measure, captured.call, tuple(row.facts.values())) if captured.call else _never,
        columns=row.facts,
        split=row.split,
        demo=row.demo,
        cluster=row.cluster,
        content=row.content,
        digest=row.digest,
        model=planned.test.model,
    )


def _never() -> Outcome:
    raise AssertionError("a case of a plan is never run")
