"""The item `optimize[<study>]`: stands behind a study's last case and optimises its prompts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr

from pytest_mipro.errors import (
    DetachedCallError,
    MiproError,
    StudyStoppedError,
    UsageError,
)
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.plugin.collecting.studies import is_partial
from pytest_mipro.plugin.config.cache_folder import how_to_go_on, ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path, relative_path
from pytest_mipro.plugin.config.study_files import study_file
from pytest_mipro.plugin.lock.holdout_uses import known_holdout_uses, record_holdout_use
from pytest_mipro.plugin.lock.lock_builder import lessons_of
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.prompt_targets import check_targets
from pytest_mipro.plugin.optimise.budget_check import check_budget
from pytest_mipro.plugin.optimise.dry_run import dry_run_lines, planned_sizes
from pytest_mipro.plugin.optimise.limit_messages import describe_error, with_options
from pytest_mipro.plugin.optimise.progress import Progress
from pytest_mipro.plugin.optimise.screen import TerminalScreen, captured_logging_off
from pytest_mipro.plugin.optimise.services import searcher_of, settings_of, strategies_of
from pytest_mipro.plugin.optimise.study_record import StudyRecord, when_leading
from pytest_mipro.plugin.replies.bill import JournalBill, billing, last_summary
from pytest_mipro.plugin.replies.stack import optimising_client
from pytest_mipro.plugin.report.files import redaction
from pytest_mipro.runtime.calls.context import refuse_detached
from pytest_mipro.runtime.prompts.prompt_file import committed_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _pytest._io import TerminalWriter

    from pytest_mipro.optimizer.run.events import Emit, Event
    from pytest_mipro.optimizer.run.result import StudyResult
    from pytest_mipro.optimizer.study.case import Study
    from pytest_mipro.optimizer.study.settings import OptimizerSettings
    from pytest_mipro.plugin.collecting.plan import PlannedCase, StudyKey
    from pytest_mipro.plugin.optimise.changes import Changes
    from pytest_mipro.plugin.replies.study_client import StudyClient
    from pytest_mipro.runtime.signature.signature import Signature

_OWN = str(Path(__file__).parents[2])


class Capture(Protocol):
    """What an item needs of the hooks that captured its cases."""

    changes: Changes

    def study(
        self, key: StudyKey, members: Sequence[PlannedCase]
    ) -> tuple[Study, Mapping[str, tuple[str, ...]]]:
        """Return the study of its cases, and the fixtures that make a test run its cases alone."""
        ...


class OptimizeItem(pytest.Item):
    """One study's item."""

    def __init__(self, *, capture: Capture, key: StudyKey, cases: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._capture = capture
        self._key = key
        self._cases: tuple[PlannedCase, ...] = cases

    @classmethod
    def behind(cls, cases: Sequence[PlannedCase], key: StudyKey, capture: Capture) -> OptimizeItem:
        """Return the study's item, child of the nearest node that encloses all its cases.

        There it keeps alive the fixtures that the cases share.
        """
        chains = [case.item.listchain()[:-1] for case in cases]
        common = [nodes[0] for nodes in zip(*chains, strict=False) if len(set(nodes)) == 1]
        item: OptimizeItem = cls.from_parent(
            common[-1],
            name=f"optimize[{key.name}]",
            capture=capture,
            key=key,
            cases=tuple(cases),
        )
        if item.config.pluginmanager.hasplugin("timeout"):
            item.add_marker(pytest.mark.timeout(0))  # the time limit is one of single tests
        if item.config.pluginmanager.hasplugin("rerunfailures"):
            item.add_marker(pytest.mark.flaky(reruns=0))  # the same replies end it the same way
        return item

    def runtest(self) -> None:
        """Optimise the study; raises StudyStoppedError where it ends before its decision."""
        changes = self._capture.changes
        try:
            changes.begin(self._key)
            with TerminalScreen(self.config) as screen:
                try:
                    self._run(screen)
                except Exception:
                    screen.resume(self.nodeid)
                    raise
                screen.resume(self.nodeid)
        except (UsageError, DetachedCallError) as error:
            raise StudyStoppedError(
                f"{describe_error(error)}. Nothing is written for this study"
            ) from None
        except MiproError as error:
            raise StudyStoppedError(
                f"{describe_error(error)}. Nothing is written for this study; "
                f"{how_to_go_on(options_of(self.config))}"
            ) from None
        changes.end(self._key)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show what user code raised in hooks and strategies from its own frames on."""
        excinfo.traceback = excinfo.traceback.filter(_is_foreign)
        return super().repr_failure(excinfo, style=style or "short")

    def tidy(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Show why the study stopped, and nothing else: no frame of ours, no print of its cases."""
        report.sections.clear()  # what thousands of runs printed explains no result
        if call.excinfo is not None and isinstance(call.excinfo.value, MiproError):
            report.longrepr = StoppedText(self, str(call.excinfo.value))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the path of the node around the item, and the item's name."""
        return self.path, None, self.name

    def _run(self, screen: TerminalScreen) -> None:
        config, key = self.config, self._key
        settings = settings_of(config)
        screen.line("")
        screen.line(f"mipro: {key.name}", bold=True)
        study, lanes = self._capture.study(key, self._cases)
        paid = study_file(mipro_folder(config), "bills", self._study_path)
        if options_of(config).dry_run:
            for line in dry_run_lines(study, settings, read_lock(key.lock), last_summary(paid)):
                screen.line(line)
            return
        only_part = is_partial(config, key, self._cases)
        if only_part:
            screen.line("only part of the study's cases are selected: nothing will be written")
        progress = Progress(screen, lanes)
        path = study_file(mipro_folder(config), "records", self._study_path)
        with ExitStack() as stack:
            cost_model = check_budget(config, settings, read_lock(key.lock))
            bill = stack.enter_context(JournalBill(paid, settings.limits, cost_model))
            stack.enter_context(billing(bill))
            record = StudyRecord(path, redaction(config))
            client = stack.enter_context(optimising_client(config, key.lock))
            detached = stack.enter_context(refuse_detached())
            stack.enter_context(captured_logging_off())
            alone = options_of(config).storage is None
            noting = stack.enter_context(record) if alone else when_leading(record, stack)
            tell = _Told((progress, noting), detached, config)
            services = replace(
                self._services(study, client, tell), bill=bill, price=cost_model.price
            )
            result = self._optimized(study, services, settings)
            _refuse(detached)
            if isinstance(result, str):
                screen.line(result)
                return
            result = with_options(result)
            bill.finish(result, planned_sizes(study, settings, len(result.signatures)))
        progress.finished(result, format_path(config, path))
        self._conclude(study, result, partial=only_part)

    def _optimized(
        self, study: Study, services: Services, settings: OptimizerSettings
    ) -> StudyResult | str:
        """Return the result; of a study that another process decided, the line that says so."""
        if options_of(self.config).storage is None:
            return optimize(study, services, settings)
        from pytest_mipro.plugin.optimise.shared_study import shared_result  # noqa: PLC0415 - rarely used, slow

        return shared_result(self.config, self._key, study, services, settings)

    def _conclude(self, study: Study, result: StudyResult, *, partial: bool) -> None:
        self.config.hook.pytest_mipro_study_finished(config=self.config, result=result)
        self._capture.changes.add(self._key, study, result, partial=partial)

    @property
    def _study_path(self) -> str:
        return relative_path(self._key.lock, ini_folder(self.config))

    def _services(self, study: Study, client: StudyClient, emit: Emit) -> Services:
        config, changes = self.config, self._capture.changes

        known: list[Signature] = []

        def check_modules(signatures: Sequence[Signature]) -> None:
            known.extend(signatures)  # modules that candidates alone reach come later
            check_targets(known, ini_folder(config))
            changes.claim(self._key, signatures)

        folder, path = mipro_folder(config), self._study_path
        lock = read_lock(self._key.lock)
        uses = known_holdout_uses(folder, path, lock)
        return Services(
            client=client,
            searcher=searcher_of(config, study),
            strategies=strategies_of(config),
            check_modules=check_modules,
            finalists_shown=uses.finalists,
            earlier_holdout_uses=uses.earlier,
            record_holdout_use=partial(record_holdout_use, folder, path, uses),
            emit=emit,
            load_prompt=committed_prompt,
            lessons=lessons_of(lock),
        )


@dataclass(frozen=True)
class _Told:
    """Tells each event to all listeners, and each trial to the hook as well."""

    listeners: tuple[Emit, ...]
    detached: Sequence[DetachedCallError]
    config: pytest.Config

    def __call__(self, event: Event) -> None:
        _refuse(self.detached)
        for listener in self.listeners:
            listener(event)
        if isinstance(event, TrialFinished):
            self.config.hook.pytest_mipro_trial_finished(config=self.config, trial=event)


class StoppedText(TerminalRepr):
    """Why a study stopped, as pytest shows failures: in full, and in the short summary."""

    def __init__(self, item: OptimizeItem, reason: str) -> None:
        self.reprcrash = ReprFileLocation(item.nodeid.partition("::")[0], 0, reason)
        self._reason = reason

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the reason."""
        tw.line(self._reason)


def _refuse(detached: Sequence[DetachedCallError]) -> None:
    if detached:
        raise detached[0]


def _is_foreign(entry: Any) -> bool:
    path = str(entry.path)
    return not path.startswith(_OWN) and "pluggy" not in path and "_pytest" not in path
