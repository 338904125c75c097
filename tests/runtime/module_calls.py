"""Calls of LM modules under a scripted client, for the runtime's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Request, ScriptedClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mipro import LMModule

MODEL = "scripted/model"


@dataclass(frozen=True)
class Called:
    """What came of one call: its value, the requests that the client saw, and the trace."""

    value: Any
    requests: list[Request]
    trace: Trace


def called(
    module: LMModule[..., Any],
    script: Callable[[Request], str] | Sequence[str],
    inputs: dict[str, Any],
    **context: Any,
) -> Called:
    """Call a sync module under a scripted client."""
    client = ScriptedClient(script)
    trace = Trace()
    with use(CallContext(client, trace=trace, **context)):
        value = module.using(model=MODEL)(**inputs)
    return Called(value, client.requests, trace)
