"""The time that a case may take: a thread can't be stopped, but nobody has to wait for it."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from pytest_mipro.errors import CaseTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def within(seconds: float | None, call: Callable[[], T]) -> T:
    """Return what the call returns; raises CaseTimeoutError after so many seconds, None: never.

    The call then goes on in its daemon thread, and what it returns is lost.
    """
    if seconds is None:
        return call()
    future: Future[T] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            future.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - also Ctrl-C in a case: the waiter's to raise
            future.set_exception(error)

    threading.Thread(target=work, name="mipro-timed-case", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():  # it ended in this moment, or raised this very error
            return future.result()
        raise CaseTimeoutError(
            f"the case took longer than {seconds:g} s (mipro_case_timeout)"
        ) from None
