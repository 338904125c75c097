"""Hold the context of module calls: client, candidate prompts, and the running case's trace."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType
from typing import Any

from pytest_mipro.errors import (
    CallLimitError,
    DetachedCallError,
    InfrastructureError,
    MiproError,
    ModuleCallError,
    ProgramError,
)
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT, caller
from pytest_mipro.runtime.calls.rendered import Rendered
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.calls.strays import Strays, report_to_parent, works_for_a_case
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, Usage
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.signature.signature import Signature


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
    order in which they began; 0 outside a case.
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
    `rendered` tells which of these calls are a module's. With `keeps`, calls hold their requests
    and replies, which are large.
    """

    def __init__(self, max_calls: int | None = None, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self._lock = threading.Lock()
        self._max_calls = max_calls
        self._requests = 0
        self._opened = 0
        self._closed: dict[int, ModuleCall | StepCall] = {}
        self._end: ProgramError | None = None
        self._broken: MiproError | None = None
        self._failing: dict[str, MiproError] = {}
        self.caused: ProgramError | None = None
        self.rendered = Rendered()

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
                    f"the case made more than {self._max_calls} LM calls (max_calls_per_case)"
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

    def open(self) -> int:
        """Return the place of a call that starts now."""
        with self._lock:
            self._opened += 1
            return self._opened

    def close(self, place: int, call: ModuleCall | StepCall) -> None:
        """Record a finished call at its place."""
        with self._lock:
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

    def is_failing(self, key: str) -> bool:
        """Return whether the last attempt of the call failed."""
        with self._lock:
            return key in self._failing


@dataclass(frozen=True)
class Teacher:
    """The model that answers for optimisable modules while demos are collected.

    `model` replaces a module's own (None keeps it); `temperature` replaces the module's.
    """

    model: str | None = None
    temperature: float = 1.0


@dataclass(frozen=True)
class CallContext:
    """The context of a module call. `prompts` override the committed ones, by prompt path.

    `row` is the row of the running case, whose own demos are left out; `sample` counts repeats.
    `case` is the case's id, for errors; `model` is that of modules that name none ("": not set).
    """

    client: LMClient
    prompts: Mapping[Path, Prompt] = field(default_factory=dict)
    row: str | None = None
    sample: int = 0
    trace: Trace | None = None
    teacher: Teacher | None = None
    case: str = ""
    model: str = ""


_current: ContextVar[CallContext | None] = ContextVar("mipro_call_context", default=None)
_calling: ContextVar[str] = ContextVar("mipro_calling_module", default="")
_keeping: ContextVar[str] = ContextVar("mipro_keeping_step", default="")


@dataclass
class _Process:
    """The context of calls outside any case; `strays` keeps the errors of those refused."""

    default: CallContext | None = None
    strays: Strays | None = None


_process = _Process()


def _start_as_child() -> None:
    """Forget the case in a process forked for it: its trace would be a copy that nobody reads."""
    if works_for_a_case():
        _current.set(None)
        _process.default = _process.strays = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_as_child)


@contextmanager
def use(context: CallContext) -> Iterator[CallContext]:
    """Run the module calls of this thread or task under `context`."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def remembering(trace: Trace | None) -> Iterator[None]:
    """Have the case's trace remember an error that the block raises."""
    try:
        yield
    except MiproError as error:
        if trace is not None:
            trace.remember(error)
        raise


@contextmanager
def keeping(step: str) -> Iterator[None]:
    """Tell that the block makes the result of this step, which is kept."""
    token = _keeping.set(step)
    try:
        yield
    finally:
        _keeping.reset(token)


def keeping_step() -> str:
    """Return the name of the step whose kept result is being made, "" outside of one."""
    return _keeping.get()


@contextmanager
def calling(label: str) -> Iterator[None]:
    """Tell clients which module is calling; a request itself doesn't name it."""
    token = _calling.set(label)
    try:
        yield
    finally:
        _calling.reset(token)


def calling_module() -> str:
    """Return the label of the calling module for a client; "" outside a module call."""
    return _calling.get()


def calling_case() -> str:
    """Return the id of the running case for a client; "" outside a case."""
    context = _current.get()
    return context.case if context is not None else ""


@contextmanager
def process_default(context: CallContext) -> Iterator[None]:
    """Run module calls outside any case (fixtures, unmarked tests) under `context`."""
    before, _process.default = _process.default, context
    try:
        yield
    finally:
        _process.default = before


@contextmanager
def refuse_detached() -> Iterator[Strays]:
    """Refuse module calls outside any case; yields what keeps their errors."""
    before, strays = _process.strays, Strays()
    _process.strays = strays
    try:
        yield strays
    finally:
        _process.strays = before


def current_context(name: str) -> CallContext | None:
    """Return the context of a call of the module `name`, None in production.

    Raises DetachedCallError as `context_of` does, ModuleCallError within a step with a kept result.
    """
    context, step = context_of(name), keeping_step()
    if not step:
        return context
    with remembering(context.trace if context else None):
        raise ModuleCallError(
            f"{caller(name)} was called within the step {step!r}, whose kept result would hide "
            "every change of the module's prompt; call it outside, or leave cache=True out"
        )


def context_of(name: str) -> CallContext | None:
    """Return the context of a call of this label, None in production.

    Raises DetachedCallError where a thread or a child process of a case lacks the case's context.
    """
    context = _current.get()
    if context is not None:
        return context
    if _process.strays is None:
        if _process.default is not None or not works_for_a_case():
            return _process.default
        where = "child process of a case, where the run can't see it; call it in the test's process"
    else:
        where = "thread without the case's context; start it with `contextvars.copy_context().run`"
        where = f"{where}, one copy a thread"
    error = DetachedCallError(f"{caller(name)} was called in a {where}")
    keep_for_case(error)
    raise error


def keep_for_case(error: InfrastructureError) -> None:
    """Keep an error that the pipeline may swallow: in the running case's trace, or as a stray."""
    context = _current.get()
    if context is not None and context.trace is not None:
        context.trace.remember(error)
    elif _process.strays is not None:
        _process.strays.add(error)
    elif works_for_a_case():
        report_to_parent(error)


def case_context(name: str) -> CallContext | None:
    """Return the context of the running case for a call of `name`, None where none is meant.

    That is outside cases, and inside a module call, whose client is this package's own. Raises
    DetachedCallError as `context_of` does.
    """
    context = None if calling_module() else context_of(name)
    return context if context is not None and context.trace is not None else None


def running_context() -> CallContext | None:
    """Return the context of the case that this thread or task runs, None outside of one."""
    return _current.get()


def in_case() -> bool:
    """Return whether this thread or task runs a case."""
    return running_context() is not None
