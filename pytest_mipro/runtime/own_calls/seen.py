"""Decide which HTTP calls are seen: LM calls, within a case, outside a module's own call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pytest_mipro.runtime.calls.context import CallContext, case_context
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT
from pytest_mipro.runtime.calls.process_state import replacing
from pytest_mipro.runtime.client.loop import on_own_thread
from pytest_mipro.runtime.own_calls.addresses import Addresses
from pytest_mipro.runtime.own_calls.http_call import HTTPCall


@dataclass
class _Watch:
    """The addresses of the LM calls to see; None while nothing is watched."""

    addresses: Addresses | None = None


_watch = _Watch()
_passing: ContextVar[bool] = ContextVar("mipro_passing", default=False)


@contextmanager
def passing() -> Iterator[None]:
    """Let calls of the block pass, those of its tasks and of threads with its context included."""
    token = _passing.set(True)
    try:
        yield
    finally:
        _passing.reset(token)


@contextmanager
def seeing(addresses: Addresses) -> Iterator[None]:
    """See calls to these addresses in the block."""
    with replacing(_watch, addresses=addresses):
        yield


def may_be_seen(method: str, url: str) -> bool:
    """Return whether a call may be an LM call of a case, before its body is read."""
    addresses = _watch.addresses
    if addresses is None or on_own_thread() or _passing.get():
        return False
    return addresses.may_be_lm(method, url)


def seen_context(call: HTTPCall) -> CallContext | None:
    """Return the case's context for an LM call, None for what passes untouched.

    What this package asks itself passes, for modules and for proposals. Raises DetachedCallError in
    a thread of a case that lacks its context.
    """
    addresses = _watch.addresses
    if addresses is None or not addresses.are_lm(call.method, call.url, call.json()):
        return None
    return case_context(OWN_CLIENT.label)
