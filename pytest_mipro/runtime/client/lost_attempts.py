"""Attempts of a live call that got lost: a provider may bill them, so they are counted."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_lost: ContextVar[Callable[[], None] | None] = ContextVar("mipro_lost_attempt", default=None)


@contextmanager
def counting_lost(count: Callable[[], None]) -> Iterator[None]:
    """Call `count` for each attempt that is lost by a client within the block."""
    token = _lost.set(count)
    try:
        yield
    finally:
        _lost.reset(token)


def lost_attempt() -> None:
    """Tell that an attempt timed out and another one follows; raises what the counter raises."""
    count = _lost.get()
    if count is not None:
        count()
