"""Hold the context of module calls: client, candidate prompts, and the running case's trace."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pytest_mipro.errors import (
    DetachedCallError,
    InfrastructureError,
    MiproError,
    ModuleCallError,
)
from pytest_mipro.runtime.calls.own_client import caller
from pytest_mipro.runtime.calls.process_state import replacing
from pytest_mipro.runtime.calls.strays import Strays, report_to_parent, works_for_a_case
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.prompts.prompt import Prompt

T = TypeVar("T")


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

    `row` is the row of the running case, whose own demos are left out ("": of cases, but not of one
    alone); `sample` counts repeats.
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
    with _holding(_current, context):
        yield context


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
def _holding(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def keeping(step: str) -> AbstractContextManager[None]:
    """Tell that the block makes the result of this step, which is kept."""
    return _holding(_keeping, step)


def keeping_step() -> str:
    """Return the name of the step whose kept result is being made, "" outside of one."""
    return _keeping.get()


def calling(label: str) -> AbstractContextManager[None]:
    """Tell clients which module is calling; a request itself doesn't name it."""
    return _holding(_calling, label)


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
    with replacing(_process, default=context):
        yield


@contextmanager
def tracing_default(trace: Trace, row: str | None, model: str = "") -> Iterator[None]:
    """Trace the module calls outside any case, made for the row; nothing where none are served.

    `model` is the one of the mark that modules run with which name none.
    """
    default = _process.default and replace(_process.default, trace=trace, row=row, model=model)
    with replacing(_process, default=default):
        yield


@contextmanager
def refuse_detached() -> Iterator[Strays]:
    """Refuse module calls outside any case; yields what keeps their errors."""
    strays = Strays()
    with replacing(_process, strays=strays):
        yield strays


def current_context(name: str) -> CallContext | None:
    """Return the context of a call of the module or text `name`, None in production.

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
