"""Watch the LM calls of pipelines' own clients while marked cases run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from pytest_mipro.runtime.own_calls.addresses import Addresses
from pytest_mipro.runtime.own_calls.seen import seeing
from pytest_mipro.runtime.own_calls.transports.wrapping import Wrapped, wrapping


def _pools(library: ModuleType) -> Sequence[Wrapped]:
    from pytest_mipro.runtime.own_calls.transports.httpcore_pools import wrapped_pools  # noqa: PLC0415 - at use

    return wrapped_pools(library)


def _connectors(library: ModuleType) -> Sequence[Wrapped]:
    from pytest_mipro.runtime.own_calls.transports.aiohttp_connector import wrapped_connector  # noqa: PLC0415

    return wrapped_connector(library)


def _transports(library: ModuleType) -> Sequence[Wrapped]:
    from pytest_mipro.runtime.own_calls.transports.lm15_transports import wrapped_transports  # noqa: PLC0415

    return wrapped_transports(library)


_LIBRARIES = {
    **dict.fromkeys(("httpcore", "httpcore2"), _pools),
    "aiohttp": _connectors,
    **dict.fromkeys(("lm15.transports", "dspy._vendor.lm15.transports"), _transports),
}


@contextmanager
def watching_own_calls(addresses: Addresses) -> Iterator[None]:
    """See the LM calls of the cases in the block; everything else passes as without it."""
    with seeing(addresses), wrapping(_LIBRARIES):
        yield
