"""How long an LM call takes, by the calls that tell."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_mipro.runtime.calls.trace import ModuleCall


def mean_latency(calls: Iterable[ModuleCall]) -> float:
    """Return the mean seconds of an LM call, 0 if none is known.

    Recorded replies have no latency: they would make each call look faster than it is.
    """
    timed = [call for call in calls if call.latency]
    return sum(call.latency for call in timed) / max(1, sum(call.requests for call in timed))
