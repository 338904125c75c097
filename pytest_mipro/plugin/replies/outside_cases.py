"""Module calls outside any case: those of fixtures, of unmarked tests, of whole unmarked runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import MissingReplyError
from pytest_mipro.plugin.collecting.plan import PLANNED, PlannedCase
from pytest_mipro.plugin.measuring.fixtures import caller_name
from pytest_mipro.plugin.replies.bill import JournalBill, billing
from pytest_mipro.runtime.calls.context import CallContext, calling_module, process_default
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, at_hand
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReplies, recorded
from pytest_mipro.runtime.replies.replies_file import to_line
from pytest_mipro.runtime.settings import current_settings

_PRICE_LIST = "LITELLM_LOCAL_MODEL_COST_MAP"


class Caller:
    """Who calls outside a case: the fixture that is set up, else the item that runs.

    Its hooks track both. A fixture's calls belong to every study with a case that uses the fixture:
    under pytest-xdist it is chance which of them sets it up.
    """

    def __init__(self, cases: Sequence[PlannedCase]) -> None:
        self._item: pytest.Item | None = None
        self.study: Path | None = None
        """The lock of the study whose case ran last."""
        self._fixtures: list[pytest.FixtureDef[Any]] = []
        self._cases = cases
        self._users: dict[pytest.FixtureDef[Any], tuple[str, ...]] = {}
        self._used: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note which item runs."""
        self._item = item
        if PLANNED in item.stash:
            self.study = item.stash[PLANNED].study.lock
        try:
            return (yield)
        finally:
            self._item = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Note which fixture is being set up."""
        __tracebackhide__ = True  # what a fixture raises is shown from the user's code on
        self._fixtures.append(fixturedef)
        try:
            return (yield)
        finally:
            self._fixtures.pop()

    @property
    def locks(self) -> tuple[str, ...]:
        """The locks of the studies that the caller belongs to; none for an unmarked test."""
        if self._fixtures and (users := self._users_of(self._fixtures[-1])):
            return users
        case = self._item.stash.get(PLANNED, None) if self._item is not None else None
        return (str(case.study.lock),) if case is not None else ()

    @property
    def name(self) -> str:
        """The caller's name in errors and recorded replies."""
        if self._fixtures:
            return caller_name(self._fixtures[-1])
        if self._item is None:
            return ""
        case = self._item.stash.get(PLANNED, None)
        return case.id if case is not None else self._item.nodeid

    def note(self, request: Request, reply: Reply) -> None:
        """Keep a reply for the recordings of the caller's studies."""
        line = to_line(recorded(self.name, calling_module(), request, reply))
        with self._lock:
            self._used += [(lock, line) for lock in self.locks]

    def taken(self) -> list[tuple[str, str]]:
        """Return the replies noted since the last call, each with its study's lock."""
        with self._lock:
            used, self._used = self._used, []
        return used

    def _users_of(self, fixture: pytest.FixtureDef[Any]) -> tuple[str, ...]:
        if fixture not in self._users:
            locks = set()
            for case in self._cases:
                info = getattr(case.item, "_fixtureinfo", None)  # pytest offers no public way
                if info and fixture in info.name2fixturedefs.get(fixture.argname, ()):
                    locks.add(str(case.study.lock))
            self._users[fixture] = tuple(sorted(locks))
        return self._users[fixture]


class OutsideClient:
    """Answers calls outside cases by the mode: those of fixtures are recorded and replayed.

    Calls of unmarked tests are not recorded; in a replay only a client configured for them answers.
    `client` returns what answers the calls of a caller of that name, `bill` what counts those of a
    study, None where nothing does.
    """

    def __init__(
        self,
        caller: Caller,
        client: Callable[[str], LMClient],
        mode: str,
        bill: Callable[[Path], JournalBill | None] = lambda _: None,
    ) -> None:
        self._caller = caller
        self._client = client
        self._mode = mode
        self._bill = bill

    @property
    def at_once(self) -> bool:
        """Whether no reply is waited for."""
        return self._mode == "replay" and self._configured() is None

    async def complete(self, request: Request) -> Reply:
        """Return the reply; raises MissingReplyError in a replay of what is not recorded."""
        configured = self._configured()
        if configured is not None:
            return await configured.complete(request)
        try:
            study = self._caller.study
            with billing(self._bill(study) if study else None):
                reply = await self._client(self._caller.name).complete(request)
        except MissingReplyError:
            if self._caller.locks:
                raise
            raise MissingReplyError(
                f"{caller(calling_module())} was called outside marked tests: only their "
                "replies are recorded, and --mipro-replies=replay uses nothing else; give the "
                "caller a client with `pytest_mipro.configure(client=…)`, or leave it out of "
                "the run"
            ) from None
        return self._received(request, reply)

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply that the client in use has at hand."""
        if self._configured() is not None:
            return None
        reply = at_hand(self._client(self._caller.name), request)
        return None if reply is None else self._received(request, reply)

    def endpoint(self, model: str) -> str:
        """Return the endpoint of the client in use."""
        return self._client("").endpoint(model)

    async def aclose(self) -> None:
        """Nothing to release: the run's client outlives it."""

    def _received(self, request: Request, reply: Reply) -> Reply:
        if self._mode == "record":
            self._caller.note(request, reply)
        return reply

    def _configured(self) -> LMClient | None:
        """Return the client that answers an unmarked test in a replay, if one is configured."""
        if self._mode != "replay" or self._caller.locks:
            return None
        return current_settings().client


def refuse_calls(config: pytest.Config) -> None:
    """Refuse module calls in a replay until marked tests begin, and for good if there are none.

    Where a test file imports litellm, it does not fetch its price list either.
    """
    stack = ExitStack()
    if _PRICE_LIST not in os.environ:
        os.environ[_PRICE_LIST] = "True"
        stack.callback(os.environ.pop, _PRICE_LIST, None)
    nothing = RecordedClient(RecordedReplies(""))
    refusing = OutsideClient(Caller(()), lambda _: nothing, "replay")
    stack.enter_context(process_default(CallContext(refusing)))
    config.add_cleanup(stack.close)
