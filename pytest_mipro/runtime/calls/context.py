"""Ambient state of module calls: client, candidate prompts and the trace of the running case."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import CallLimitError, DetachedCallError, MiproError, ProgramError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType, FrameType

    from pytest_mipro.runtime.client.contract import LMClient, Usage
    from pytest_mipro.runtime.prompts.prompt import Prompt
    from pytest_mipro.runtime.signature.signature import Signature


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module within a case.

    `parameters` are the sampling parameters sent; `inputs` and `output` are JSON values; `text` is
    the last reply as it came; `requests` counts LM calls (2 where a corrective retry was needed);
    `cost` is in US dollars or None; `latency` in seconds; `error` is empty where the call
    succeeded; `stack` holds the project's functions between test and module, outermost first.
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


class Trace:
    """What one run of a case did: its module calls in order, and what broke the measurement.

    `broken` is the first error of the world, or of the user's files, options or code. It is kept
    here because a pipeline may swallow it: the case is then no measurement.
    """

    def __init__(self, max_calls: int | None = None) -> None:
        self._lock = threading.Lock()
        self._max_calls = max_calls
        self._requests = 0
        self._opened = 0
        self._closed: dict[int, ModuleCall] = {}
        self._end: ProgramError | None = None
        self.broken: MiproError | None = None

    def end(self, error: ProgramError) -> None:
        """Refuse all further calls of the case with this error."""
        with self._lock:
            self._end = error

    def count_request(self) -> None:
        """Count one LM call; raises CallLimitError beyond `max_calls`, or how the case ended."""
        with self._lock:
            if self._end is not None:
                raise type(self._end)(str(self._end))
            self._requests += 1
            if self._max_calls is not None and self._requests > self._max_calls:
                raise CallLimitError(
                    f"the case made more than {self._max_calls} LM calls (max_calls_per_case)"
                )

    @property
    def calls(self) -> tuple[ModuleCall, ...]:
        """The finished calls in the order in which they began, whatever order they ended in."""
        with self._lock:
            return tuple(call for _, call in sorted(self._closed.items()))

    def open(self) -> int:
        """Return the place of a call that begins now."""
        with self._lock:
            self._opened += 1
            return self._opened

    def close(self, place: int, call: ModuleCall) -> None:
        """Record a finished call at its place."""
        with self._lock:
            self._closed[place] = call

    def remember(self, error: Exception) -> None:
        """Keep the error if it is the first one of this package that is not the candidate's."""
        with self._lock:
            if self.broken is not None or isinstance(error, ProgramError):
                return
            if isinstance(error, MiproError):
                self.broken = error


@dataclass(frozen=True)
class Teacher:
    """Who answers for the modules that may be optimised while demos are gathered from cases.

    `model` replaces a module's own (None: its own is asked), `temperature` is sent in place of its.
    """

    model: str | None = None
    temperature: float = 1.0


@dataclass(frozen=True)
class CallContext:
    """What a module call runs under. `prompts` override the committed ones, by prompt path.

    `row` is the row of the running case (its own demos are left out), `sample` the sample index.
    """

    client: LMClient
    prompts: Mapping[Path, Prompt] = field(default_factory=dict)
    row: str | None = None
    sample: int = 0
    trace: Trace | None = None
    teacher: Teacher | None = None


_current: ContextVar[CallContext | None] = ContextVar("mipro_call_context", default=None)
_calling: ContextVar[str] = ContextVar("mipro_calling_module", default="")


@dataclass
class _Process:
    """The context of calls outside any case, and whether such calls are refused (and kept)."""

    default: CallContext | None = None
    detached: list[DetachedCallError] | None = None


_process = _Process()


@contextmanager
def use(context: CallContext) -> Iterator[CallContext]:
    """Run module calls of this context (thread or task) under `context`."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def remembering(trace: Trace | None) -> Iterator[None]:
    """Let the trace of a case remember what the block raises."""
    try:
        yield
    except MiproError as error:
        if trace is not None:
            trace.remember(error)
        raise


@contextmanager
def calling(name: str) -> Iterator[None]:
    """Tell clients that the module `name` asks; a request itself does not say who sends it."""
    token = _calling.set(name)
    try:
        yield
    finally:
        _calling.reset(token)


def calling_module() -> str:
    """Return the name of the module that asks, as a client sees it; empty where none does."""
    return _calling.get()


@contextmanager
def process_default(context: CallContext) -> Iterator[None]:
    """Run module calls outside any case (fixtures, unmarked tests) under `context`."""
    before, _process.default = _process.default, context
    try:
        yield
    finally:
        _process.default = before


@contextmanager
def refuse_detached() -> Iterator[list[DetachedCallError]]:
    """Refuse module calls outside any case; the list yielded fills with those that came."""
    before, detached = _process.detached, list[DetachedCallError]()
    _process.detached = detached
    try:
        yield detached
    finally:
        _process.detached = before


def current_context(name: str) -> CallContext | None:
    """Return what the module `name` runs under, None in production.

    Raises DetachedCallError where a case's context is required and this thread does not carry it.
    """
    context = _current.get()
    if context is not None:
        return context
    if _process.detached is not None:
        error = DetachedCallError(
            f"LM module {name!r} was called in a thread without the case's context; start it with "
            "`contextvars.copy_context().run`, one copy a thread"
        )
        _process.detached.append(error)
        raise error
    return _process.default


def project_stack(frame: FrameType | None) -> tuple[CodeType, ...]:
    """Return the project's functions on the stack, outermost first, up to this package's runner."""
    codes: list[CodeType] = []
    while frame is not None and not (codes and _is_own(frame.f_code.co_filename)):
        if is_project_file(frame.f_code.co_filename):
            codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(reversed(codes))


_OWN = str(Path(__file__).parents[2]) + os.sep
_LIBRARIES = tuple(
    folder + os.sep
    for folder in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("scripts"),
        str(Path(sys.prefix) / "lib"),
    }
)


@lru_cache(maxsize=4096)
def _is_own(filename: str) -> bool:
    return filename.startswith(_OWN)


@lru_cache(maxsize=4096)
def is_project_file(filename: str) -> bool:
    """Return whether a source file is neither a library's nor this package's own."""
    if not filename or filename.startswith("<") or _is_own(filename):
        return False
    return not filename.startswith(_LIBRARIES) and "site-packages" not in filename
