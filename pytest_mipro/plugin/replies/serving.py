"""Serve the module calls of a run, attach the replies used to the reports, show warnings.

Warnings of the runtime (why a run waits, why a cache was replaced) go to the standard error from
before pytest captured it, at once, on workers of pytest-xdist too.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest

from pytest_mipro.errors import MiproError
from pytest_mipro.plugin.collecting.plan import PLANNED, PlannedCase
from pytest_mipro.plugin.collecting.prompt_check import reachable_modules
from pytest_mipro.plugin.config.apply_options import options_in_force
from pytest_mipro.plugin.config.cache_folder import given_up
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.measuring.report_data import attach
from pytest_mipro.plugin.replies.bill import BILLS, JournalBill
from pytest_mipro.plugin.replies.case_replies import reported_usage
from pytest_mipro.plugin.replies.client_stack import close_run_client, replies_of, studies_client
from pytest_mipro.plugin.replies.outside_cases import Caller, OutsideClient
from pytest_mipro.runtime.calls.context import CallContext, process_default, refuse_detached
from pytest_mipro.runtime.calls.offline import leave_alone, no_network
from pytest_mipro.runtime.calls.strays import Strays, forget_child_reports, telling_children
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.client.loop import background_loop
from pytest_mipro.runtime.own_calls.addresses import Addresses
from pytest_mipro.runtime.own_calls.watching import watching_own_calls
from pytest_mipro.runtime.prompts.committed_prompts import (
    committed_prompt,
    forget_committed_prompts,
    with_variants,
)
from pytest_mipro.runtime.text.credentials import public_texts
from pytest_mipro.runtime.text.redaction import one_line

_RUNTIME = logging.getLogger("pytest_mipro.runtime")


class _ReplyReports:
    """Attaches to the reports which replies were used."""

    def __init__(self, config: pytest.Config, caller: Caller) -> None:
        self._config = config
        self._caller = caller

    @pytest.hookimpl
    def pytest_report_collectionfinish(self) -> str | None:
        """Say what a fresh optimisation, or one without a cache, gives up."""
        options = options_of(self._config)
        lost = given_up(options) if options.optimize and not options.dry_run else None
        return f"mipro: {lost}" if lost else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Refuse module calls in processes that a case's fixtures start, as in its own."""
        __tracebackhide__ = True
        with telling_children(offline=False) if PLANNED in item.stash else nullcontext():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach what was used since the last report."""
        report = yield
        if call.when == "call" and (usage := reported_usage(item)) is not None:
            attach(report, replies=usage)
        if outside := self._caller.taken():
            attach(report, outside=tuple(outside))
        return report


def _begin(config: pytest.Config, cases: Sequence[PlannedCase]) -> LMClient:
    """Read the recorded replies of the cases' studies; return what answers calls outside cases."""
    replies = replies_of(config, sorted({case.study.lock for case in cases}, key=str))
    caller = Caller(cases)
    config.pluginmanager.register(_ReplyReports(config, caller), "mipro-replies")
    options = options_of(config)
    if replies or options.replies in ("record", "replay") or options.optimize:
        config.pluginmanager.register(caller, "mipro-replies-caller")
    client = partial(studies_client, config, replies)  # the run's client waits for a first call
    return OutsideClient(caller, client, options.replies, partial(_bill_of, config))


def _bill_of(config: pytest.Config, lock: Path) -> JournalBill | None:
    find = config.stash.get(BILLS, None)
    return find(lock) if find else None


@contextmanager
def serving(config: pytest.Config, cases: Sequence[PlannedCase]) -> Iterator[None]:
    """Serve module calls of this process by the run's client and options; close it at the end.

    `cases` are those of the run: calls outside them are answered as their studies' are. Prompt
    files are read afresh. The settings from before are restored, as pytest may run inside a longer
    process. Raises RepliesFileError for a broken file of recorded replies.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings_on_terminal())
        stack.callback(close_run_client, config)
        stack.callback(forget_child_reports)
        if options_of(config).replies == "replay":
            leave_alone(threading.enumerate())
        else:
            _start_loop()
        forget_committed_prompts()
        stack.enter_context(public_texts(partial(_texts_of, cases)))
        stack.enter_context(options_in_force(config))
        stack.enter_context(process_default(CallContext(_begin(config, cases))))
        yield


def _start_loop() -> None:
    """Start the loop of the clients now: plugins such as pytest-socket refuse cases its sockets."""
    # Whatever refuses sockets from the start on: a call that needs one tells. Tried beforehand, as
    # a loop that was refused one is destroyed with complaints.
    with suppress(Exception):
        socket.socket(getattr(socket, "AF_UNIX", socket.AF_INET)).close()
        background_loop()


def _texts_of(cases: Sequence[PlannedCase]) -> Iterator[str]:
    """Yield what the repo shows to every reader: the cases with their labels, and the prompts."""
    for case in cases:
        yield case.id
        yield json.dumps(dict(case.row.columns), ensure_ascii=False)
    files = {case.item.path: case.item for case in cases}.values()
    signatures = (
        signature
        for item in files
        if isinstance(item, pytest.Function)
        for module in reachable_modules(vars(item.module))
        for signature in with_variants(module.signature)
    )
    for signature in signatures:
        with suppress(MiproError):  # told where the module is called
            prompt = committed_prompt(signature)
            yield prompt.instruction
            yield json.dumps([asdict(demo) for demo in prompt.demos], ensure_ascii=False)


@contextmanager
def watching_cases(config: pytest.Config) -> Iterator[Strays]:
    """See what cases do in the block: the LM calls of their own clients are calls of the case.

    What they do out of sight of the run is refused, and so are connections in a replay.

    Yields what keeps the errors that reach no case's trace.
    """
    options = options_of(config)
    offline = options.replies == "replay"
    with (
        refuse_detached() as strays,
        telling_children(offline=offline),
        no_network(options.allowed_hosts) if offline else nullcontext(),
        watching_own_calls(Addresses(options.lm_addresses)),
    ):
        yield strays


@contextmanager
def warnings_on_terminal() -> Iterator[None]:
    """Show the runtime's warnings while the block runs; enter it while nothing is captured."""
    stream = _own_stream()
    handler = _WarningLines(stream)
    _RUNTIME.addHandler(handler)
    try:
        yield
    finally:
        _RUNTIME.removeHandler(handler)
        if stream is not sys.stderr:
            with suppress(OSError, ValueError):
                stream.close()


def _own_stream() -> TextIO:
    """Return a copy of standard error that no later capture redirects; itself if it is no file."""
    try:
        sys.stderr.flush()
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError, AttributeError):  # no file: pytest inside of another program
        return sys.stderr


class _WarningLines(logging.Handler):
    """Writes each warning once, on its own line: many calls may wait for the same reason."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.WARNING)
        self._stream = stream
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        if text in self._shown:
            return
        self._shown.add(text)
        with suppress(OSError, ValueError):  # a terminal that is gone stops no run
            self._stream.write(f"\nmipro: {text}\n")
            self._stream.flush()
