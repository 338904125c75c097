"""Run the tests of one case on known replies, and take down what is sent with a prompt."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.cli.repo.named import AnyPrompt, asked, prompts_named
from pytest_mipro.cli.repo.project import Visitor, visit
from pytest_mipro.errors import ConfigurationError, MiproError, MissingReplyError
from pytest_mipro.plugin.collecting.cases import case_row
from pytest_mipro.plugin.collecting.marks import MARK
from pytest_mipro.plugin.collecting.plan import PLANNED, PlannedCase
from pytest_mipro.plugin.replies.client_stack import replies_of, run_client
from pytest_mipro.runtime.calls.context import CallContext, calling_module, current_context, use
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient, Reply, Request, at_hand
from pytest_mipro.runtime.replies.recorded import RecordedClient
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import one_line

Shown = Callable[[pytest.Config, AnyPrompt, Sequence[Request]], str]


def requests_of_case(root: Path, target: str, case: str, show: Shown) -> list[str]:
    """Return, by prompt that the target means, what `show` makes of its requests in the case.

    `case` is a row's id, or what pytest has in brackets. Raises ConfigurationError for a case that
    is not there, or that doesn't come to the prompt.
    """
    return visit(_CaseVisitor(root, target, case, show), ["--continue-on-collection-errors"])


class _Listener(OfflineClient):
    """Answers with replies that are at hand, and keeps requests with the name of who asks."""

    at_once = True

    def __init__(self, known: LMClient, requests: list[tuple[str, Request]]) -> None:
        self._known = known
        self._requests = requests
        self._lock = threading.Lock()
        self.missing = ""

    async def complete(self, request: Request) -> Reply:
        """Return the reply at hand; raises MissingReplyError where there is none."""
        module = calling_module()
        with self._lock:
            self._requests.append((module, request))
        reply = at_hand(self._known, request)
        if reply is None:
            raise MissingReplyError(f"{caller(module)} has no reply in the cache or recorded")
        return reply

    def endpoint(self, model: str) -> str:
        """Return the endpoint of the run, which the keys of the cache hold."""
        return self._known.endpoint(model)


class _CaseVisitor(Visitor[list[str]]):
    """The hooks that choose the case's items, and listen to their calls."""

    def __init__(self, root: Path, target: str, case: str, show: Shown) -> None:
        super().__init__()
        self._root, self._target, self._case, self._show = root, target, case, show
        self._prompts: list[AnyPrompt] = []
        self._requests: list[tuple[str, Request]] = []
        self._problems: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a file can't be collected: the case may be there."""
        if report.failed:
            self._problems.append(_reason(report))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the items of the case alone."""
        marked = [item for item in items if item.get_closest_marker(MARK) is not None]
        names = {id(item): _names(item) for item in marked}
        items[:] = [item for item in marked if self._case in names[id(item)]]
        if items or self.error is not None:
            return
        known = sorted({name for each in names.values() for name in each})
        near = get_close_matches(self._case, known, n=1)
        meant = (
            f"; did you mean {near[0]!r}?"
            if near
            else f"; pytest finds {counted(len(marked), 'case')}"
        )
        others = f" ({self._problems[0]})" if self._problems else ""
        self.error = ConfigurationError(
            f"no marked test has the case {self._case!r}{meant}{others}"
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find the prompts; keep the run's reports from the plugin, since it is no gate."""
        session.config.pluginmanager.unregister(name="mipro-reports")
        if self.error is None:
            try:
                self._prompts = prompts_named(self._root, self._target)
            except MiproError as error:
                self.error = error
        if self.error is not None:
            session.items.clear()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Listen to the calls of the test's function."""
        if isinstance(item, pytest.Function) and PLANNED in item.stash:
            item.obj = self._listening(item.obj, item.stash[PLANNED])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep why a test could not be called, or why it came to no end."""
        if report.failed:
            self._problems.append(_reason(report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Show the requests while the run's redaction is at hand."""
        blocks = []
        for prompt in self._prompts if self.error is None else ():
            label = asked(prompt).label
            mine = [request for name, request in self._requests if name == label]
            if mine:
                blocks.append(self._show(session.config, prompt, mine))
        if blocks:
            self.result = blocks
        elif self.error is None:
            self.error = self._not_called()

    def _not_called(self) -> MiproError:
        names = ", ".join(asked(prompt).label for prompt in self._prompts)
        called = ", ".join(dict.fromkeys(name for name, _ in self._requests if name)) or "none"
        reason = f" ({self._problems[-1]})" if self._problems else ""
        return ConfigurationError(
            f"the case {self._case!r} does not come to {names}; called: {called}{reason}; "
            "where a reply is missing, run `pytest` on the case first"
        )

    def _listening(self, function: Callable[..., Any], case: PlannedCase) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def listening_async(*args: Any, **kwargs: Any) -> Any:
                with self._listener(case):
                    return await function(*args, **kwargs)

            return listening_async

        @wraps(function)
        def listening(*args: Any, **kwargs: Any) -> Any:
            with self._listener(case):
                return function(*args, **kwargs)

        return listening

    def _listener(self, case: PlannedCase) -> AbstractContextManager[CallContext]:
        config, context = case.item.config, current_context("show")
        if context is None:
            raise ConfigurationError(f"{case.id} runs outside a case")
        replies = replies_of(config, [case.study.lock])
        known = RecordedClient(replies, run_client(config), case.id)
        return use(replace(context, client=_Listener(known, self._requests)))


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return one_line(crash.message if crash is not None else report.longrepr)


def _names(item: pytest.Item) -> set[str]:
    """Return what a user may call the case of an item."""
    row = case_row(item)
    parameters = getattr(getattr(item, "callspec", None), "id", "")
    return {name for name in (row.id, row.key, parameters, item.name, item.nodeid) if name}
