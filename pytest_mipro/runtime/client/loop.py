"""Run all clients on one long-lived event loop in a daemon thread.

Each `asyncio.run` would leave a connection pool behind that is bound to a dead loop; one loop per
process keeps pools, locks and semaphores valid for sync and async callers alike.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from pytest_mipro.errors import ModuleCallError
from pytest_mipro.runtime.client.clock import elapsed
from pytest_mipro.runtime.client.forks import ProcessLock, in_each_child

T = TypeVar("T")

_lock = ProcessLock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_left_behind: list[object] = []


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the package's event loop; its thread starts at the first call."""
    global _loop, _thread  # noqa: PLW0603 - one loop a process is the purpose of this file
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = _new_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="mipro-loop", daemon=True)
            _thread.start()
        return _loop


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    vars(loop)["time"] = elapsed  # by a clock that a test has stopped, no wait would end
    return loop


def _start_afresh() -> None:
    """Forget the loop in a forked process: threads do not survive a fork."""
    global _loop, _thread
    leave_behind(_loop)
    _loop, _thread = None, None


def leave_behind(of_the_parent: object) -> None:
    """Keep what a forked process can't use from being destroyed.

    Its tasks would complain that they have not ended, and an identity that is free again would be
    taken for that of the dead loop by those who keep connections by it.
    """
    _left_behind.append(of_the_parent)


in_each_child(_start_afresh)


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine on the background loop and return its future."""
    return asyncio.run_coroutine_threadsafe(coroutine, background_loop())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the background loop and wait for it in this thread.

    Raises ModuleCallError on the background loop's own thread, which would wait for itself.
    """
    try:
        refuse_own_thread()
    except ModuleCallError:
        coroutine.close()
        raise
    future = submit(coroutine)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def run_at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits in this thread, without a loop and so without a socket.

    Raises RuntimeError if it waits after all.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise RuntimeError("the coroutine waits: run it on the loop")


def on_own_thread() -> bool:
    """Return whether this is the background loop's thread, on which LM clients make their calls."""
    return threading.current_thread() is _thread


def refuse_own_thread() -> None:
    """Raise ModuleCallError on the background loop's own thread, which would wait for itself."""
    if on_own_thread():
        raise ModuleCallError(
            "a sync LM module was called inside an LM client, on the loop that has to serve it; "
            "use an `async def` module there and await it"
        )


async def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the background loop and await it in the caller's own loop.

    That may be asyncio's, or trio's where the caller runs under it.
    """
    future = submit(coroutine)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return await _await_in_trio(future)
    return await asyncio.wrap_future(future)


async def give_way() -> None:
    """Let the other tasks of the caller's asyncio loop begin their calls first; trio's go on.

    So calls that are made at once begin in one order, whether or not their replies are at hand.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    await asyncio.sleep(0)


async def _await_in_trio(future: Future[T]) -> T:
    trio = importlib.import_module("trio")  # installed where somebody awaits outside asyncio
    token, done = trio.lowlevel.current_trio_token(), trio.Event()
    future.add_done_callback(lambda _: token.run_sync_soon(done.set))
    try:
        await done.wait()
    except BaseException:  # cancelled
        future.cancel()
        raise
    return future.result()
