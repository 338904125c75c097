"""Ask for a step's kept result, and run the step where its caller is if there is none yet."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import math
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from pytest_mipro.errors import CacheError, EndpointError, ModuleCallError, ProgramError
from pytest_mipro.runtime.calls.context import CallContext, calling, keeping, remembering, use
from pytest_mipro.runtime.calls.exchange import ask
from pytest_mipro.runtime.calls.stack import is_own_file
from pytest_mipro.runtime.calls.steps import StepRequest, step_request
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Reply, Request
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.own_calls.sending import from_loop
from pytest_mipro.runtime.steps.function import Step
from pytest_mipro.runtime.text.safe_text import text_of

_JSON = "JSON values alone (str, int, finite float, bool, None, list, dict with str keys)"
_under_way: ContextVar[frozenset[str]] = ContextVar("mipro_steps_under_way", default=frozenset())
Kept = tuple[Any, Reply]


class StepClient(ClientWrapper):
    """Runs the steps whose results are asked for; it stands inside the cache."""

    async def complete(self, request: Request) -> Reply:
        """Return a step's result as a reply, else the inner client's reply."""
        if not isinstance(request, StepRequest):
            return await super().complete(request)
        if request.make is None:
            raise EndpointError(f"{request.answerer} has no caller here")
        return await request.make()


class StepRaisedError(ProgramError):
    """The step raised an error of its own, which its caller gets."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(text_of(error))
        self.error = error


def kept(
    step: Step, context: CallContext, inputs: Mapping[str, Any], body: Callable[[], Any]
) -> Kept:
    """Return a step's result and the reply that holds it; `body` runs in this thread.

    Raises what the step raises; MissingReplyError in a replay of what is not recorded.
    """
    __tracebackhide__ = True
    turns = _Turns()
    with _failing(context) as failed:
        request = _request(step, inputs)

        def made() -> Reply:
            with _within(step, context, request) as seen:
                return seen.reply(body())

        loop.refuse_own_thread()
        request = replace(request, make=turns.making(made))
        with calling(request.model):
            reply = loop.run_at_once(ask(context.client, request, waits=True, run=turns.run))
        return _value(step, reply), reply
    raise failed.error


async def kept_async(
    step: Step,
    context: CallContext,
    inputs: Mapping[str, Any],
    body: Callable[[], Coroutine[Any, Any, Any]],
) -> Kept:
    """Return the same, awaited; the step runs on the loop of its caller."""
    __tracebackhide__ = True
    with _failing(context) as failed:
        request = _request(step, inputs)

        async def made() -> Reply:
            with _within(step, context, request) as seen:
                return seen.reply(await body())

        request = replace(request, make=from_loop(made, request.digest()))
        with calling(request.model):
            reply = await ask(context.client, request, waits=False)
        return _value(step, reply), reply
    raise failed.error


class _Turns:
    """Lets a thread that waits for the background loop run what the loop asks of it."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._asked: set[Future[Reply]] = set()  # this and the next are the loop's
        self._left = False

    def run(self, coroutine: Coroutine[Any, Any, Reply]) -> Reply:
        """Run a coroutine on the background loop, and meanwhile here what it waits for."""
        future = loop.submit(coroutine)
        future.add_done_callback(lambda _: self._queue.put(None))
        try:
            while (work := self._queue.get()) is not None:
                work()
            return future.result()
        except BaseException:
            future.cancel()
            loop.background_loop().call_soon_threadsafe(self._leave)
            raise

    def _leave(self) -> None:
        """Cancel what this thread will not run any more: others may wait for it."""
        self._left = True
        for done in self._asked:
            done.cancel()

    def making(self, made: Callable[[], Reply]) -> Callable[[], Coroutine[Any, Any, Reply]]:
        """Return what has `made` run in the waiting thread, for the loop."""

        async def ran() -> Reply:
            if self._left:
                raise asyncio.CancelledError
            done: Future[Reply] = Future()

            def work() -> None:
                if not done.set_running_or_notify_cancel():
                    return
                try:
                    done.set_result(made())
                except BaseException as error:  # noqa: BLE001 - passed on
                    known = isinstance(error, Exception)
                    done.set_exception(error if known else StepRaisedError(error))

            self._asked.add(done)
            self._queue.put(work)
            return await asyncio.wrap_future(done)

        return ran


class _Run:
    """One run of a step's body."""

    def __init__(self, step: Step, trace: Trace) -> None:
        self._step = step
        self._trace = trace
        self._began = time.perf_counter()

    def reply(self, value: Any) -> Reply:
        """Return the result as a reply; raises ModuleCallError for one that is no JSON value."""
        if self._trace.broken is not None:  # the body may have swallowed it
            raise self._trace.broken
        _refuse_other(self._step, "its result", value)
        took = time.perf_counter() - self._began
        return Reply(json.dumps(value, ensure_ascii=False), cost=0.0, latency=took)


@contextmanager
def _within(step: Step, context: CallContext, request: Request) -> Iterator[_Run]:
    """Run a step's body in the block: its own calls are made and paid, but are no trace's entries.

    These must not tell whether the result was kept already.
    """
    inner = Trace()
    under_way = _under_way.set(_under_way.get() | {request.digest()})
    try:
        with calling(""), keeping(step.name), use(replace(context, trace=inner)):
            yield _Run(step, inner)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # a cancellation is the loop's
        raise StepRaisedError(error) from error
    finally:
        _under_way.reset(under_way)
        if context.trace is not None:
            context.trace.add_within(inner)


class _Failure:
    error: BaseException


@contextmanager
def _failing(context: CallContext) -> Iterator[_Failure]:
    """Yield what holds the error that the step itself raised, once the block has ended by it."""
    failed = _Failure()
    try:
        with remembering(context.trace):
            yield failed
    except StepRaisedError as error:
        failed.error = error.error.with_traceback(_below_own_frames(error.error.__traceback__))
        if context.trace is not None and isinstance(failed.error, Exception):
            context.trace.remember(failed.error)


def _below_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and is_own_file(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return traceback


def _request(step: Step, inputs: Mapping[str, Any]) -> StepRequest:
    """Return the request for a result; raises ModuleCallError for inputs that are no JSON."""
    for name, value in inputs.items():
        _refuse_other(step, f"the argument {name!r}", value)
    request = step_request(step.name, _source(step.function), inputs)
    if request.digest() in _under_way.get():
        raise ModuleCallError(
            f"the step {step.name!r} calls itself with equal inputs, so its result would wait for "
            "itself; leave cache=True out"
        )
    return request


@functools.lru_cache(maxsize=256)
def _source(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise ModuleCallError(
            f"the step {function.__qualname__!r} has no readable source, which is part of the key "
            "of its result; leave cache=True out"
        ) from None


def _value(step: Step, reply: Reply) -> Any:
    try:
        return json.loads(reply.text)
    except ValueError:
        raise CacheError(
            f"the kept result of the step {step.name!r} is no JSON any more: a redaction changed "
            "it; keep what is hidden out of the result, or leave cache=True out"
        ) from None


def _refuse_other(step: Step, what: str, value: Any) -> None:
    """Raise ModuleCallError for a value that would not come back from JSON as it is."""
    try:
        found = _other(value, "")
    except RecursionError:
        found = "", "a value that is nested too deeply"
    if found is not None:
        place, kind = found
        where = f" has {kind} at {place}" if place else f" is {kind}"
        raise ModuleCallError(
            f"the step {step.name!r} keeps {_JSON}, and {what}{where}; pass and return such "
            "values, or leave cache=True out"
        )


def _other(value: Any, place: str) -> tuple[str, str] | None:
    """Return where a value is no JSON value, and what it is there; None where it is one."""
    if value is None or type(value) in (str, int, bool):
        return None
    if type(value) is float:
        return None if math.isfinite(value) else (place, repr(value))
    if type(value) is list:
        items: Any = ((item, f"[{number}]") for number, item in enumerate(value))
    elif type(value) is dict:
        for key in value:
            if type(key) is not str:
                return place, f"a dict with the key {key!r:.40}"
        items = ((item, f"[{key!r:.40}]") for key, item in value.items())
    else:
        return place, f"a {type(value).__name__}"
    found = (_other(item, f"{place}{part}") for item, part in items)
    return next((each for each in found if each is not None), None)
