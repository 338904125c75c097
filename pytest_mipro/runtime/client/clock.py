"""The time as it is, also while a test of the pipeline has fixed it.

time-machine sets `time.time`; freezegun sets each clock, wherever a module has it as an attribute.
"""

from __future__ import annotations

import time

_CLOCKS = [time.monotonic]
_BEGAN = time.time() - time.monotonic()


def elapsed() -> float:
    """Return seconds of a clock that always goes on."""
    return _CLOCKS[0]()


def real_time() -> float:
    """Return the time in Unix seconds."""
    return _BEGAN + elapsed()
