"""Silence the warnings of litellm's import and first call: suites that make warnings errors."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field


@dataclass
class _Quiet:
    """How many blocks are quiet now, what ends the silence, and whether none is needed any more."""

    blocks: int = 0
    ends: ExitStack = field(default_factory=ExitStack)
    settled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_quiet = _Quiet()


@contextmanager
def quietly(*, last: bool = False) -> Iterator[None]:
    """Ignore warnings in the block, which is of litellm's code, until a `last` one succeeds.

    Filters are the process's, so the first of several blocks at once sets them, and the last one
    that ends puts them back.
    """
    if _quiet.settled:
        yield
        return
    with _quiet.lock:
        _quiet.blocks += 1
        if _quiet.blocks == 1:
            _quiet.ends.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
    try:
        yield
        _quiet.settled = _quiet.settled or last
    finally:
        with _quiet.lock:
            _quiet.blocks -= 1
            if not _quiet.blocks:
                _quiet.ends.close()
