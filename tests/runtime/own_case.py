"""The context of a case in which the calls of own clients are seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_mipro.runtime.calls.context import CallContext, refuse_detached, use
from pytest_mipro.runtime.calls.strays import Strays
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.own_calls.addresses import Addresses
from pytest_mipro.runtime.own_calls.watching import watching_own_calls


@contextmanager
def case(
    client: LMClient, sample: int = 0, *patterns: str, max_calls: int | None = None
) -> Iterator[Trace]:
    trace = Trace(max_calls)
    context = CallContext(client, trace=trace, sample=sample, case="test_x[1]")
    with watching_own_calls(Addresses(patterns)), refuse_detached(), use(context):
        yield trace


@contextmanager
def watching(client: LMClient) -> Iterator[Strays]:
    """As `case`, for what leaves the case's sight."""
    context = CallContext(client, trace=Trace())
    with watching_own_calls(Addresses()), refuse_detached() as strays, use(context):
        yield strays
