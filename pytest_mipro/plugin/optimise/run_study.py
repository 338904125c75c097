"""Run one study: optimise its prompts, show the result and queue its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest

from pytest_mipro.optimizer.budget.limits import LimitTooSmallError
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.run.events import Emit, Event, TrialFinished
from pytest_mipro.optimizer.run.measure_baseline import BaselineLimitError
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.run.study_run import Services
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.plugin.config.cache_folder import ini_folder, mipro_folder
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.plugin.config.redaction import redaction
from pytest_mipro.plugin.gate.outlook import failing_gates
from pytest_mipro.plugin.gate.usage_file import default_model, read_usage
from pytest_mipro.plugin.lock.holdout_uses import HoldoutRecord
from pytest_mipro.plugin.lock.lock_builder import lessons_of
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.lock.prompt_targets import check_targets
from pytest_mipro.plugin.optimise.finished_study import AlreadyFinishedError
from pytest_mipro.plugin.optimise.inputs.budget_limits import describe_error
from pytest_mipro.plugin.optimise.inputs.gate_forecast import asked_now, enough_by_gate, frozen_in
from pytest_mipro.plugin.optimise.inputs.optimizer_inputs import (
    searcher_of,
    settings_of,
    strategies_of,
)
from pytest_mipro.plugin.optimise.inputs.study_effort import effort_of
from pytest_mipro.plugin.optimise.lines.ending import Ending
from pytest_mipro.plugin.optimise.lines.plan_lines import planned_sizes
from pytest_mipro.plugin.optimise.lines.progress import Progress
from pytest_mipro.plugin.optimise.records.optuna_journal import OptunaJournal
from pytest_mipro.plugin.optimise.records.study_record import StudyRecord
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch
from pytest_mipro.plugin.optimise.screen.terminal_screen import TerminalScreen, captured_logging_off
from pytest_mipro.plugin.optimise.study_inputs import StudyInputs, tell_of_rows
from pytest_mipro.plugin.replies.bill import BILLS, JournalBill, billing
from pytest_mipro.plugin.replies.client_stack import replies_of, studies_client
from pytest_mipro.plugin.replies.serving import watching_cases
from pytest_mipro.plugin.replies.study_client import StudyClient
from pytest_mipro.plugin.report.contents import optimizations_of
from pytest_mipro.runtime.calls.strays import Strays
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.signature.signature import Signature

_FINISHED = (
    "this study has ended, and its result is in place: nothing is asked anew; for another search, "
    "change a prompt, the cases or --mipro-seed"
)


def run_study(inputs: StudyInputs, screen: TerminalScreen) -> None:
    """Optimise the study and queue its files; raises what ends it before its decision."""
    config, study = inputs.config, inputs.study
    settings = settings_of(config, study)
    tell_of_rows(inputs, screen)
    progress = Progress(screen, inputs.alone)
    finished = inputs.finished(settings)
    record = StudyRecord(inputs.file("records"), redaction(config))
    bill = config.stash[BILLS](inputs.key.lock)
    with ExitStack() as stack:
        stack.enter_context(billing(bill))
        strays = stack.enter_context(watching_cases(config))
        client = stack.enter_context(_study_client(inputs, strays))
        stack.enter_context(captured_logging_off())
        watch = inputs.changes.watch = _watch(inputs, client, bill)
        listeners = _listeners(inputs, stack, record)
        stack.enter_context(screen.watching(watch))
        emit = partial(_emit, config, strays, (watch, progress, *listeners))
        services = replace(
            _services(inputs, client, emit),
            bill=bill,
            price=bill.cost_model.price,
            check_baseline=finished.refuse_repetition,
        )
        result = _optimize(inputs, services, settings)
        _refuse(strays)
        if isinstance(result, str):
            screen.line(result, always=True)
            return
        bill.finish(result, planned_sizes(study, settings, result))
    finished.record(result)
    _present(inputs, result, progress, record)


@contextmanager
def _study_client(inputs: StudyInputs, strays: Strays) -> Iterator[StudyClient]:
    """Yield the client of the study's calls; in the end, tell the session what troubled them."""
    config = inputs.config
    inner = studies_client(config, replies_of(config, [inputs.key.lock]))
    with StudyClient(inner, strays) as client:
        try:
            yield client
        finally:
            optimizations_of(config).troubles[inputs.study.name] = client.troubles


def _listeners(inputs: StudyInputs, stack: ExitStack, record: StudyRecord) -> tuple[Emit, ...]:
    """Return what keeps the study's events: record, journal and session; the stack closes them."""
    journal = OptunaJournal(inputs.file("optuna"), inputs.study.name)
    for kept in (record, journal):
        stack.callback(kept.close)
        if options_of(inputs.config).storage is None:
            kept.open()
    return record, journal, optimizations_of(inputs.config)


def _watch(inputs: StudyInputs, client: StudyClient, bill: JournalBill) -> StudyWatch:
    return StudyWatch(
        inputs.key.name,
        lambda: client.answers,
        lambda: bill.settled,
        lambda: client.under_way,
    )


def _present(
    inputs: StudyInputs, result: StudyResult, progress: Progress, record: StudyRecord
) -> None:
    """Show what the result rests on, tell it to the hooks, and queue its files."""
    config, study, watch = inputs.config, inputs.study, inputs.changes.watch
    progress.finished(result, format_path(config, record.path))
    config.hook.pytest_mipro_study_finished(config=config, result=result)
    ending = Ending(
        inputs.key.name,
        result,
        watch.seconds if watch else 0.0,
        effort_of(options_of(config), study).larger,
        _failing(inputs, result),
    )
    inputs.changes.add(
        inputs.key, study, ending, partial=inputs.partial, fixture_calls=inputs.fixture_calls
    )


def _failing(inputs: StudyInputs, result: StudyResult) -> tuple[str, ...]:
    """Return the tests, with why, whose gate fails under a finalist that may be written."""
    if not result.prompts or result.final is None:
        return ()
    gate_on = options_of(inputs.config).gate_on
    failing = failing_gates(inputs.planned, result.final, result.split, gate_on)
    return tuple(f"{test}: {reason}" for test, reason in failing.items())


def _with_enough(
    error: BaselineLimitError, inputs: StudyInputs, settings: OptimizerSettings
) -> LimitTooSmallError:
    """Return the error with what would be enough, where the last gate run tells it."""
    usage = read_usage(inputs.file("usage"))
    if usage is None or not usage.modules or error.limit is None:
        return error  # no run is known, or one whose cases called nothing
    usage = asked_now(usage, default_model(inputs.config))
    costs = inputs.config.stash[BILLS](inputs.key.lock).cost_model
    frozen = frozen_in(read_lock(inputs.key.lock))
    enough = enough_by_gate(usage, inputs.study, settings, costs, error.limit, frozen)
    return LimitTooSmallError(f"{error}{enough}", error.limit)


def _optimize(
    inputs: StudyInputs, services: Services, settings: OptimizerSettings
) -> StudyResult | str:
    """Return the result; for a study that ended before or elsewhere, the line that says so."""
    storage = options_of(inputs.config).storage
    try:
        if storage is None:
            return optimize(inputs.study, services, settings)
        return _optimize_shared(inputs, services, settings, storage)
    except AlreadyFinishedError:
        return _FINISHED
    except BaselineLimitError as error:
        raise _with_enough(error, inputs, settings) from None


def _optimize_shared(
    inputs: StudyInputs, services: Services, settings: OptimizerSettings, storage: str
) -> StudyResult | str:
    from pytest_mipro.plugin.optimise.shared_study import shared_result  # noqa: PLC0415 - slow

    config, key = inputs.config, inputs.key
    result = shared_result(config, key, inputs.study, services, settings, storage)
    if isinstance(result, str):
        config.stash[BILLS](key.lock).leave()
    return result


def _services(inputs: StudyInputs, client: LMClient, emit: Emit) -> Services:
    config, key = inputs.config, inputs.key
    known: list[Signature] = []

    def check_modules(signatures: Sequence[Signature]) -> None:
        known.extend(signatures)  # modules that only candidates reach come later
        check_targets(known, ini_folder(config))
        inputs.changes.claim(key, signatures)

    lock = read_lock(key.lock)
    record = HoldoutRecord(mipro_folder(config), inputs.study.name, lock)
    uses = record.known()
    return Services(
        client=client,
        searcher=searcher_of(config, inputs.study),
        strategies=strategies_of(config),
        check_modules=check_modules,
        finalists_shown=uses.finalists,
        earlier_holdout_uses=uses.earlier,
        record_holdout_use=record.add,
        find_holdout_uses=record.find,
        emit=emit,
        load_prompt=committed_prompt,
        failing_tests=partial(failing_gates, inputs.planned, gate_on=options_of(config).gate_on),
        describe_error=partial(describe_error, config),
        lessons=lessons_of(lock),
    )


def _emit(
    config: pytest.Config,
    strays: Strays,
    listeners: Sequence[Emit],
    event: Event,
) -> None:
    """Pass an event to all listeners, and a trial to the hook as well."""
    _refuse(strays)
    for listener in listeners:
        listener(event)
    if isinstance(event, TrialFinished):
        config.hook.pytest_mipro_trial_finished(config=config, trial=event)


def _refuse(strays: Strays) -> None:
    for error in strays.taken():
        raise error
