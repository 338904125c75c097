"""Hosts that a replay may connect to, by name and by the addresses that they have."""

from __future__ import annotations

import socket
import sys

import pytest

from pytest_mipro.errors import OfflineError
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.offline import no_network
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import OfflineClient

ADDRESS = "203.0.113.7"


def connect(host: str) -> None:
    """Tell the audit hooks of a connection, and make none."""
    with socket.socket() as made:
        sys.audit("socket.connect", made, (host, 443))


def look_up(host: str) -> None:
    """Tell them of a look-up, and ask no server."""
    sys.audit("socket.getaddrinfo", host, 443, 0, 0, 0)


def test_an_allowed_host_is_looked_up_and_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ADDRESS, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with use(CallContext(OfflineClient(), trace=Trace())), no_network(["DB.example.com"]):
        with pytest.raises(OfflineError, match=r"mipro_allowed_hosts"):
            connect(ADDRESS)
        look_up("db.example.com")
        connect(ADDRESS)
        for other in ("203.0.113.8", "example.com"):
            with pytest.raises(OfflineError):
                look_up(other)
            with pytest.raises(OfflineError):
                connect(other)


def test_what_was_allowed_is_forgotten_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ADDRESS, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with use(CallContext(OfflineClient(), trace=Trace())):
        with no_network(["db.example.com"]):
            look_up("db.example.com")
        with no_network(), pytest.raises(OfflineError):
            connect(ADDRESS)
