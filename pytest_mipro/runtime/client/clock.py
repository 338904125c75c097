"""The time as it is, also while a test of the pipeline has fixed it.

freezegun replaces each clock of Python wherever a module has it as an attribute; time-machine
changes the clocks themselves, and offers the true ones.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress

_CLOCKS = {"elapsed": time.monotonic, "time": time.time}  # no attributes


def elapsed() -> float:
    """Return seconds of a clock that always goes on."""
    return _CLOCKS["elapsed"]()


def real_time() -> float:
    """Return the time in Unix seconds."""
    hatch = getattr(sys.modules.get("time_machine"), "escape_hatch", None)
    if hatch is not None:
        with suppress(ValueError):  # the clocks are as they were
            return float(hatch.time.time())
    return _CLOCKS["time"]()
