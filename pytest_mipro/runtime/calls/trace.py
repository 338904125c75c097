"""The trace of a case: the calls of its modules and steps, and what broke its measurement."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from pytest_mipro.errors import CallLimitError, MiproError, ProgramError
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT
from pytest_mipro.runtime.calls.rendered import Rendered
from pytest_mipro.runtime.calls.rendered_texts import RenderedTexts
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.client.contract import Reply, Request, Usage
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.number_words import counted


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module within a case.

    `signature` is the module and `model` the model asked, with the sampling `parameters` sent.
    `inputs` and `output` are JSON values, `reasoning` is None unless asked for, `text` is the last
    reply. `usage` and `cost` (US dollars or None) sum up all replies, and so does `latency`
    (seconds); `cached` tells whether no endpoint was asked; `requests` counts LM calls (2 after a
    corrective retry). `error` is "" after success; `stack` holds the project's functions between
    test and module, outermost first; `cut` tells that the last reply ended at the output limit,
    `unreadable` that it could not be read as an output. `sent` and `received` are the last request
    and its reply, None unless the trace keeps them. `place` counts the case's calls from 1, in the
    order in which they began; 0 outside a case. `shows_demos` tells whether a request shows the
    prompt's demos, if it has any; `calls_tool` that the reply asks for a tool's result first.
    `digest` is that of an own client's request: calls with equal inputs may differ in their tools.
    """

    signature: Signature
    model: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]
    output: Any
    reasoning: str | None
    text: str
    usage: Usage
    cost: float | None
    latency: float
    cached: bool
    requests: int
    error: str = ""
    stack: tuple[CodeType, ...] = ()
    cut: bool = False
    unreadable: bool = False
    shows_demos: bool = True
    calls_tool: bool = False
    digest: str = ""
    sent: Request | None = field(default=None, compare=False, repr=False)
    received: Reply | None = field(default=None, compare=False, repr=False)
    place: int = field(default=0, compare=False)

    @property
    def own(self) -> bool:
        """Whether the pipeline's own client made it, with no prompt of this package."""
        return self.signature is OWN_CLIENT


class Trace:
    """The calls of one run of a case, and the error that broke its measurement.

    `broken` is the first InfrastructureError or UsageError. It is kept here because the pipeline
    may swallow it, which must not turn into a score. `caused` is the last ProgramError of a call
    that the pipeline's own client made: the client turns it into an exception of its own.
    `within` are the calls that kept steps made while they ran: paid, but no entries. `rendered` and
    `texts` tell which of these calls are a module's or a prompt text's. With
    `keeps`, calls hold their requests and replies, which are large.
    """

    def __init__(self, max_calls: int | None = None, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self._lock = threading.Lock()
        self._max_calls = max_calls
        self._requests = 0
        self._opened = 0
        self._under_way: set[int] = set()
        self._closed: dict[int, ModuleCall | StepCall] = {}
        self._within: list[ModuleCall] = []
        self._end: ProgramError | None = None
        self._broken: MiproError | None = None
        self._failing: dict[str, MiproError] = {}
        self.caused: ProgramError | None = None
        self.rendered = Rendered()
        self.texts = RenderedTexts()

    @property
    def broken(self) -> MiproError | None:
        """The first error that broke the measurement, or of a call that failed for good."""
        with self._lock:
            return self._broken or next(iter(self._failing.values()), None)

    def end(self, error: ProgramError) -> None:
        """Make all further calls of the case fail with this error."""
        with self._lock:
            self._end = error

    def count_request(self) -> None:
        """Count one LM call; raises CallLimitError beyond `max_calls`, or the error of `end`."""
        with self._lock:
            if self._end is not None:
                raise type(self._end)(str(self._end))
            self._requests += 1
            if self._max_calls is not None and self._requests > self._max_calls:
                raise CallLimitError(
                    f"the case made more than {counted(self._max_calls, 'LM call')} "
                    "(max_calls_per_case)"
                )

    @property
    def entries(self) -> tuple[ModuleCall | StepCall, ...]:
        """The finished calls of modules and steps, in the order in which they began."""
        with self._lock:
            return tuple(self._closed[place] for place in sorted(self._closed))

    @property
    def calls(self) -> tuple[ModuleCall, ...]:
        """The finished calls of modules, in this order."""
        return tuple(each for each in self.entries if isinstance(each, ModuleCall))

    @property
    def steps(self) -> tuple[StepCall, ...]:
        """The finished calls of steps, in this order."""
        return tuple(each for each in self.entries if isinstance(each, StepCall))

    @property
    def within(self) -> tuple[ModuleCall, ...]:
        """The calls that kept steps made while they ran."""
        with self._lock:
            return tuple(self._within)

    def add_within(self, step: Trace) -> None:
        """Add the calls of a kept step that ran, as far as they came."""
        with self._lock:
            self._within += [*step.calls, *step.within]

    @property
    def given_up(self) -> int:
        """How many LM calls of the pipeline have come to no end: once it is over, it waits no more.

        It has a deadline of its own, or goes on with the first of several replies.
        """
        with self._lock:
            return len(self._under_way)

    def open(self, *, asks: bool = True) -> int:
        """Return the place of a call that starts now; `asks`: it is one of a model, and no step."""
        with self._lock:
            self._opened += 1
            if asks:
                self._under_way.add(self._opened)
            return self._opened

    def leave(self, place: int) -> None:
        """Take note that the call at a place ended without anything to record."""
        with self._lock:
            self._under_way.discard(place)

    def close(self, place: int, call: ModuleCall | StepCall) -> None:
        """Record a finished call at its place."""
        with self._lock:
            self._under_way.discard(place)
            self._closed[place] = replace(call, place=place)

    def remember(self, error: Exception) -> None:
        """Keep the first error of this package that is not a ProgramError."""
        with self._lock:
            if self._broken is not None or isinstance(error, ProgramError):
                return
            if isinstance(error, MiproError):
                self._broken = error

    def note_failing(self, key: str, error: MiproError | None) -> None:
        """Keep the error of a call that its client may try again; None: it has its answer now."""
        with self._lock:
            self._failing.pop(key, None)
            if error is not None:
                self._failing[key] = error

    def failing(self, key: str) -> MiproError | None:
        """Return the error of the call's last attempt, None where it did not fail."""
        with self._lock:
            return self._failing.get(key)
