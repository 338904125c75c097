"""Send a call with the pipeline's own client; what the world answers is a reply or an error."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from pytest_mipro.errors import EndpointError, MiproError, ModuleCallError
from pytest_mipro.runtime.client.contract import LMClient, Reply, Request, Usage
from pytest_mipro.runtime.client.live.attempts import Attempts, LiveSettings
from pytest_mipro.runtime.client.live.retry import Failure, report_lost_attempt
from pytest_mipro.runtime.client.prices import ModelPrice, known_price
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.own_calls.apis.reading import read_answer
from pytest_mipro.runtime.own_calls.failures import answer_failure, transport_failure
from pytest_mipro.runtime.own_calls.http_call import (
    HTTPAnswer,
    OwnRequest,
    Send,
    text_of_answer,
)
from pytest_mipro.runtime.own_calls.seen import passing

T = TypeVar("T")
_LOOK_SECONDS = 0.5


class SendingClient(ClientWrapper):
    """Sends the calls of pipelines' own clients, by the retries and rates of live calls."""

    def __init__(self, inner: LMClient, settings: LiveSettings) -> None:
        super().__init__(inner)
        self._attempts = Attempts(settings)
        self._prices: dict[str, ModelPrice | None] = {}

    async def complete(self, request: Request) -> Reply:
        """Return the answer to an own call as a reply, else the inner client's.

        Raises MiproError with a WorldError as its cause where no reply came.
        """
        with passing():
            if isinstance(request, OwnRequest):
                return await self._sent(request)
            return await super().complete(request)

    async def _sent(self, request: OwnRequest) -> Reply:
        if request.send is None:
            raise EndpointError("a call of the pipeline's own client has no client here")
        attempt = partial(self._attempt, request, request.send)
        if not (request.urgent or request.again):
            return await self._attempts.reply(request, attempt)
        # Once: those whose turn it is may wait for its loop, or it has had its series.
        outcome = await attempt()
        if isinstance(outcome, Reply):
            return outcome
        if outcome.lost:
            report_lost_attempt(again=False)
        raise outcome.error

    async def _attempt(self, request: OwnRequest, send: Send) -> Reply | Failure:
        began = time.perf_counter()
        try:
            answer = (await send()).uncompressed()
        except MiproError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an HTTP library raises
            return transport_failure(request, error)
        told = read_answer(answer)
        if failed := answer_failure(request, answer, told):
            return failed
        price = await self._price(request.model)
        return Reply(
            text=text_of_answer(answer),
            usage=told.usage,
            # Streams tell no usage unless asked: what it cost is then unknown, not nothing.
            cost=None if price is None or told.usage == Usage() else price.cost(told.usage),
            latency=time.perf_counter() - began,
            finish_reason=told.finish_reason,
            model=told.model or request.model,
        )

    async def _price(self, model: str) -> ModelPrice | None:
        if model not in self._prices:  # in a thread: litellm's table takes seconds to import
            self._prices[model] = await asyncio.to_thread(known_price, self._inner, model)
        return self._prices[model]


def from_thread(send: Callable[[], HTTPAnswer]) -> Send:
    """Return what makes a blocking call in a thread of its own, in this context."""
    context = contextvars.copy_context()

    async def sent() -> HTTPAnswer:
        done: Future[HTTPAnswer] = Future()

        def work() -> None:
            try:
                done.set_result(context.run(send))
            except BaseException as error:  # noqa: BLE001 - passed on
                done.set_exception(error)

        done.set_running_or_notify_cancel()  # who stops waiting does not keep it from its result
        threading.Thread(target=work, name="mipro-own-call", daemon=True).start()
        return await asyncio.wrap_future(done)

    return sent


def from_loop(
    send: Callable[[], Coroutine[Any, Any, T]], key: str
) -> Callable[[], Coroutine[Any, Any, T]]:
    """Return what makes a call on the loop that runs now, asyncio's or trio's, for another loop.

    Its caller may stop waiting for it: the call goes on for others as long as the loop does, and is
    cancelled with it. `key` is equal for equal calls.
    """
    (start, ended), place = _starter(), (threading.get_ident(), key)

    async def sent() -> T:
        _under_way.add(place)
        try:
            if place in _blocked:
                raise _waits_for_itself()
            return await _while_it_runs(start(send), ended)
        finally:
            _under_way.discard(place)

    return sent


async def _while_it_runs(done: Future[T], ended: Callable[[], bool]) -> T:
    """Return what another loop makes; raises CancelledError where that loop has `ended`.

    A loop may be closed with its tasks still waiting: they then tell nobody.
    """
    waiting = asyncio.wrap_future(done)
    try:
        while not (waiting.done() or ended()):
            await asyncio.wait([waiting], timeout=_LOOK_SECONDS)
    except asyncio.CancelledError:
        if not ended():
            waiting.cancel()
        raise
    if not waiting.done():
        raise asyncio.CancelledError
    return waiting.result()


_under_way: set[tuple[int, str]] = set()
"""The thread of its loop, and the key, of each call that a loop makes now."""
_blocked: set[tuple[int, str]] = set()
"""The thread and the key of each call that blocks its thread now."""


@contextmanager
def blocking(key: str) -> Iterator[None]:
    """Make a call in the block that keeps this thread from all else.

    Raises ModuleCallError where the thread's own loop makes an equal call, which it would wait for;
    if that call is only about to begin, it raises this error.
    """
    place = (threading.get_ident(), key)
    _blocked.add(place)
    try:
        if place in _under_way:
            raise _waits_for_itself()
        yield
    finally:
        _blocked.discard(place)


def _waits_for_itself() -> ModuleCallError:
    return ModuleCallError(
        "the pipeline makes the same LM call twice at once, and the second one blocks the event "
        "loop that makes the first; await both, or call from a thread (asyncio.to_thread)"
    )


Start = Callable[[Callable[[], Coroutine[Any, Any, Any]]], "Future[Any]"]


def _starter() -> tuple[Start, Callable[[], bool]]:
    """Return what starts a call on the loop that runs now, and whether that loop is closed."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _trio_starter(), lambda: False  # trio cancels what it leaves

    def start(send: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        coroutine = send()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError as error:
            coroutine.close()
            raise asyncio.CancelledError from error

    return start, loop.is_closed


def _trio_starter() -> Start:
    trio = importlib.import_module("trio")  # somebody awaits outside asyncio
    token, context = trio.lowlevel.current_trio_token(), contextvars.copy_context()

    def start(send: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        done: Future[Any] = Future()

        async def work() -> None:
            try:
                done.set_result(await send())
            except Exception as error:  # noqa: BLE001 - passed on
                done.set_exception(error)
            except BaseException:
                done.set_exception(asyncio.CancelledError())
                raise

        def spawn() -> None:
            trio.lowlevel.spawn_system_task(work, context=context)

        done.set_running_or_notify_cancel()  # as in a thread
        try:
            token.run_sync_soon(spawn)
        except RuntimeError as error:
            raise asyncio.CancelledError from error
        return done

    return start
