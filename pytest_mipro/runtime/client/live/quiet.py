"""Silence the warnings of litellm's import and first calls: suites that make warnings errors."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field


@dataclass
class _Quiet:
    """How many blocks are quiet now, what ends the silence, and for which models none is needed."""

    blocks: int = 0
    ends: ExitStack = field(default_factory=ExitStack)
    settled: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


_quiet = _Quiet()


@contextmanager
def quietly(model: str = "") -> Iterator[None]:
    """Ignore warnings in the block, which is of litellm's code; of a `model`, until one succeeds.

    What a provider needs is imported at its first call. Filters are the process's, so the first of
    several blocks at once sets them, and the last one that ends puts them back.
    """
    if model in _quiet.settled:
        yield
        return
    with _quiet.lock:
        _quiet.blocks += 1
        if _quiet.blocks == 1:
            _quiet.ends.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
    try:
        yield
        if model:
            _quiet.settled.add(model)
    finally:
        with _quiet.lock:
            _quiet.blocks -= 1
            if not _quiet.blocks:
                _quiet.ends.close()
