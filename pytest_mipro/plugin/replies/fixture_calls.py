"""Keep what the fixtures of cases called, and what broke in them, for the cases that use them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.collecting.marks import MARK
from pytest_mipro.plugin.collecting.plan import NO_SUBTESTS, PLANNED, SUBTESTS, PlannedCase
from pytest_mipro.plugin.config.options import options_of
from pytest_mipro.plugin.measuring.fixtures import caller_name
from pytest_mipro.plugin.replies.circuit_breaker import NOT_TRIED
from pytest_mipro.runtime.calls.context import in_case, tracing_default
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.trace import ModuleCall, Trace
from pytest_mipro.runtime.text.redaction import hide_secrets


@dataclass(eq=False)
class SetUp:
    """One set-up of a fixture, or of what hooks do before a case.

    `name` is how errors name it, `trace` holds its calls. `for_one` tells that it serves a single
    case, `counted` that its calls stand in the figures of one.
    """

    name: str
    trace: Trace
    for_one: bool
    counted: bool = False

    @property
    def entries(self) -> list[tuple[str, ModuleCall | StepCall]]:
        """Its calls of modules and steps, each with its name."""
        return [(self.name, call) for call in self.trace.entries]

    @property
    def error(self) -> str:
        """What broke in it, though its code may have swallowed that; "" where nothing did."""
        broken = self.trace.broken
        if broken is None:
            return ""
        text = hide_secrets(" ".join(str(broken).split())) or type(broken).__name__
        named = text.startswith((f"{self.name}: ", NOT_TRIED))  # by a replay, or a model given up
        return text if named else f"{self.name}: {text}"


class FixtureCalls:
    """The hooks that trace set-ups.

    A fixture is credited to every case in whose closure it stands, or for which `getfixturevalue`
    asked for it, and with what the fixtures did that were set up for it in this way.
    """

    def __init__(self, *, keeps: bool = False) -> None:
        self._keeps = keeps
        self._item: pytest.Item | None = None
        self._made: list[SetUp] = []
        self._alive: dict[pytest.FixtureDef[Any], list[SetUp]] = {}
        self._open: list[pytest.FixtureDef[Any]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Trace what is called before the item, by whatever hook."""
        __tracebackhide__ = True
        self._item, self._made = item, []
        with self._traced("the set-up", for_one=True):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Trace what a fixture calls; one that a test's body asks for belongs to its case.

        Raises ConfigurationError for `subtests`, which fail what has passed, whoever asks for them.
        """
        __tracebackhide__ = True  # what a fixture raises is shown from the user's code on
        if fixturedef.argname == SUBTESTS and (case := self._case()):
            raise ConfigurationError(f"{case.test.nodeid}: @pytest.mark.{MARK}: {NO_SUBTESTS}")
        if in_case():
            return (yield)
        self._open.append(fixturedef)
        name, for_one = caller_name(fixturedef), fixturedef.scope == "function"
        try:
            with self._traced(name, for_one=for_one) as made:
                self._alive[fixturedef] = [made]
                return (yield)
        finally:
            self._open.pop()
            if self._open:
                self._alive[self._open[-1]] += self._alive[fixturedef]

    @pytest.hookimpl
    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Forget a fixture whose value is gone."""
        self._alive.pop(fixturedef, None)

    @contextmanager
    def _traced(self, name: str, *, for_one: bool) -> Iterator[SetUp]:
        made = SetUp(name, Trace(keeps=self._keeps), for_one)
        self._made.append(made)
        case = self._case() if for_one else None
        model = case.test.model if case is not None else ""
        with tracing_default(made.trace, self._row(for_one=for_one), model):
            yield made

    def _case(self) -> PlannedCase | None:
        return self._item.stash.get(PLANNED, None) if self._item is not None else None

    def _row(self, *, for_one: bool) -> str | None:
        """Return the row that a set-up is for, whose demos it must not see; None: for no case.

        What several cases share has none of its own (""): then the inputs of its calls tell, and it
        is chance whether one of these cases or an unmarked test sets it up.
        """
        if not for_one:
            return ""
        case = self._case()
        return case.row.key if case is not None else None

    def of(self, item: pytest.Item) -> tuple[SetUp, ...]:
        """Return the set-ups that an item uses, in their order; those without calls left out."""
        earlier = [made for each in _closure(item) for made in self._alive.get(each, ())]
        mine = self._made if self._item is item else []
        used = dict.fromkeys([*earlier, *mine])
        return tuple(made for made in used if made.trace.entries or made.trace.broken)


def _closure(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    """Yield the fixtures that an item gets; of overridden ones those that the last one asks for."""
    # pytest offers no public way to either of them.
    request: Any = getattr(item, "_request", None)
    info: Any = getattr(item, "_fixtureinfo", None)
    yield from getattr(request, "_fixture_defs", {}).values()
    for name in getattr(info, "names_closure", ()):
        for definition in reversed(info.name2fixturedefs.get(name, ())):
            yield definition
            if name not in definition.argnames:
                break


def first_error(set_ups: Sequence[SetUp]) -> str:
    """Return what broke first in the set-ups; "" where nothing did."""
    return next(filter(None, (made.error for made in set_ups)), "")


def trace_fixtures(config: pytest.Config) -> FixtureCalls:
    """Trace the set-ups of the run from now on; requests are kept where an option shows them."""
    options = options_of(config)
    calls = FixtureCalls(keeps=options.show or options.report)
    config.pluginmanager.register(calls, "mipro-fixture-calls")
    return calls
