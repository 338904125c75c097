"""Refuse connections that leave the machine, while cases run on recorded replies alone.

An audit hook sees every connection that Python makes, whatever library asks for it, and what a test
replaces by a fake never reaches it. A hook can't be removed, so it is added once, and idle outside
`no_network`. Compiled code with sockets of its own (uvloop, gRPC, libpq) is not seen.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from weakref import WeakSet

from pytest_mipro.errors import OfflineError
from pytest_mipro.runtime.calls.context import in_case, keep_for_case
from pytest_mipro.runtime.calls.strays import is_offline_child

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKS_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})


@dataclass
class _Guard:
    """How many blocks refuse connections, and the threads that are none of the cases'.

    `allowed` are hosts that may be connected to, `addresses` those that they have.
    """

    closed: int = 0
    allowed: frozenset[str] = frozenset()
    addresses: set[str] = field(default_factory=set)
    resolving: threading.local = field(default_factory=threading.local)
    others: WeakSet[threading.Thread] = field(default_factory=WeakSet)


_guard = _Guard()


def leave_alone(threads: Iterable[threading.Thread]) -> None:
    """Let these threads connect where no case's context is in force: they were there before."""
    _guard.others.update(threads)


@contextmanager
def no_network(allowed: Iterable[str] = ()) -> Iterator[None]:
    """Refuse connections from cases in the block to any address but loopback and `allowed` hosts.

    They raise an OSError, as a network that is down does, and the case's trace remembers it. A
    thread that some library started in a case counts as the case's.
    """
    _add_hook()
    before, _guard.allowed = _guard.allowed, frozenset(name.lower() for name in allowed)
    _guard.closed += 1
    try:
        yield
    finally:
        _guard.closed -= 1
        _guard.allowed = before
        _guard.addresses.clear()


def close_for_good() -> None:
    """Refuse connections from now on, in a process that a case started."""
    _add_hook()
    _guard.closed += 1


@cache
def _add_hook() -> None:
    sys.addaudithook(_audit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_start_as_child)


def _start_as_child() -> None:
    """Take the only thread of a process forked for a case for the case's."""
    if is_offline_child():
        _guard.others.clear()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guard.closed or not event.startswith("socket."):
        return
    if event in _LOOKS_UP:
        host, port = (*arguments, None)[:2]
        if _is_allowed(host):
            _note_addresses(host)
            return
        local = host in (None, "", b"") or _is_local(host) or _same(host, socket.gethostname())
    elif event in _CONNECTS:
        sock, address = arguments
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return
        host, port = address[:2]
        local = _is_local(host) or _is_allowed(host) or _text(host) in _guard.addresses
    else:
        return
    if local or not (in_case() or threading.current_thread() not in _guard.others):
        return
    error = OfflineError(
        f"the case connects to {_text(host)}{'' if port is None else f':{_text(port)}'}, but "
        "--mipro-replies=replay uses recorded replies and no network; answer the call in the test, "
        "by a fake or a server on loopback, record it (an LM endpoint by mipro_lm_addresses, a "
        "function's result by @step(cache=True)), or allow the host by mipro_allowed_hosts"
    )
    keep_for_case(error)
    raise error


def _is_allowed(host: str | bytes | None) -> bool:
    return host is not None and _text(host).lower().rstrip(".") in _guard.allowed


def _note_addresses(host: str | bytes) -> None:
    """Note the addresses of an allowed host: a connection tells no name."""
    if getattr(_guard.resolving, "now", False):
        return
    _guard.resolving.now = True
    try:
        found = socket.getaddrinfo(host, None)
        _guard.addresses.update(str(address[0]) for *_, address in found)
    except OSError:  # the caller meets the same
        pass
    finally:
        _guard.resolving.now = False


def _is_local(host: str | bytes) -> bool:
    name = _text(host).partition("%")[0].rstrip(".").lower()
    if name in ("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _same(host: str | bytes, own: str) -> bool:
    return _text(host).lower() == own.lower()


def _text(value: str | bytes | int) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
