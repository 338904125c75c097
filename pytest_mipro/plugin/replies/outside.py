"""Module calls outside any case: those of fixtures, of unmarked tests, of whole unmarked runs."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import MissingReplyError
from pytest_mipro.plugin.collecting.plan import PLANNED
from pytest_mipro.runtime.calls.context import CallContext, calling_module, process_default
from pytest_mipro.runtime.client.contract import at_hand
from pytest_mipro.runtime.replies.recorded import recorded
from pytest_mipro.runtime.replies.replies_file import to_line
from pytest_mipro.runtime.settings import current_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from pytest_mipro.plugin.collecting.plan import PlannedCase
    from pytest_mipro.plugin.config.options import Options
    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request


class Place:
    """Who is calling, where no case is: the fixture that is set up, else the item that runs.

    A fixture's calls belong to every study with a case that uses the fixture: under pytest-xdist it
    is chance which of them sets it up.
    """

    def __init__(self, cases: Sequence[PlannedCase]) -> None:
        self.item: pytest.Item | None = None
        self.fixtures: list[pytest.FixtureDef[Any]] = []
        self._cases = cases
        self._users: dict[pytest.FixtureDef[Any], tuple[str, ...]] = {}
        self._used: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @property
    def locks(self) -> tuple[str, ...]:
        """The locks of the studies that the caller belongs to; none for an unmarked test."""
        if self.fixtures and (users := self._users_of(self.fixtures[-1])):
            return users
        case = self.item.stash.get(PLANNED, None) if self.item is not None else None
        return (str(case.study.lock),) if case is not None else ()

    @property
    def name(self) -> str:
        """How errors and recorded replies call the caller."""
        if self.fixtures:
            return f"fixture {self.fixtures[-1].argname}"
        if self.item is None:
            return ""
        case = self.item.stash.get(PLANNED, None)
        return case.id if case is not None else self.item.nodeid

    def note(self, request: Request, reply: Reply) -> None:
        """Keep a reply for the recording of the studies that need it."""
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
            locks = {
                str(case.study.lock)
                for case in self._cases
                if fixture in _definitions(case.item).get(fixture.argname, ())
            }
            self._users[fixture] = tuple(sorted(locks))
        return self._users[fixture]


class OutsideClient:
    """Answers calls outside cases as the mode asks: those of fixtures are recorded and replayed.

    Calls of unmarked tests are not recorded; in a replay only a client that was configured for them
    answers.
    """

    def __init__(self, place: Place, client: Callable[[str], LMClient], options: Options) -> None:
        self._place = place
        self._client = client
        self._mode = options.replies

    @property
    def at_once(self) -> bool:
        """Whether no reply is waited for."""
        return self._mode == "replay" and self._configured() is None

    async def complete(self, request: Request) -> Reply:
        """Return the reply; raises MissingReplyError in a replay of what is not recorded."""
        configured = self._configured()
        if self._mode == "replay" and configured is not None:
            return await configured.complete(request)
        try:
            reply = await self._client(self._place.name).complete(request)
        except MissingReplyError:
            if self._place.locks:
                raise
            raise MissingReplyError(_refusal()) from None
        return self._noted(request, reply)

    def lookup(self, request: Request) -> Reply | None:
        """Return what the client in use has at hand."""
        if self._mode == "replay" and self._configured() is not None:
            return None
        reply = at_hand(self._client(self._place.name), request)
        return None if reply is None else self._noted(request, reply)

    def endpoint(self, model: str) -> str:
        """Return what the client in use says."""
        return self._client("").endpoint(model)

    async def aclose(self) -> None:
        """Nothing of its own to release: the cache serves the whole session."""

    def _noted(self, request: Request, reply: Reply) -> Reply:
        if self._mode == "record":
            self._place.note(request, reply)
        return reply

    def _configured(self) -> LMClient | None:
        return None if self._place.locks else current_settings().client


class _RefusingClient:
    """Refuses the calls of a replay before, or without, any marked test."""

    @property
    def at_once(self) -> bool:
        return current_settings().client is None

    async def complete(self, request: Request) -> Reply:
        configured = current_settings().client
        if configured is not None:
            return await configured.complete(request)
        raise MissingReplyError(_refusal())

    def endpoint(self, model: str) -> str:  # noqa: ARG002 - the contract's signature
        return ""

    async def aclose(self) -> None:
        pass


def _refusal() -> str:
    return (
        f"LM module {calling_module()!r} was called outside marked tests: their replies alone are "
        "recorded, and --mipro-replies=replay uses nothing else; give the caller a client with "
        "`pytest_mipro.configure(client=…)`, or leave it out of the run"
    )


def refuse_calls(config: pytest.Config) -> None:
    """Refuse module calls until marked tests begin, and for good where there are none."""
    stack = ExitStack()
    stack.enter_context(process_default(CallContext(_RefusingClient())))
    config.add_cleanup(stack.close)


def _definitions(item: pytest.Item) -> dict[str, Sequence[pytest.FixtureDef[Any]]]:
    info = getattr(item, "_fixtureinfo", None)  # pytest offers no public way
    return dict(info.name2fixturedefs) if info is not None else {}
