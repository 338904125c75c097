"""See calls where aiohttp takes a connection: its own parser then reads the answer, live or kept.

Fakes that stand above (aioresponses, VCR.py) answer before a connection is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_mipro.runtime.own_calls.answering import answered_async
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, HTTPCall
from pytest_mipro.runtime.own_calls.seen import may_be_seen
from pytest_mipro.runtime.own_calls.transports.wrapping import Wrapped

if TYPE_CHECKING:
    import aiohttp

_SENT_ANEW = frozenset({"content-length", "transfer-encoding", "accept-encoding", "host"})
_HOP = frozenset({"transfer-encoding", "content-length", "connection", "keep-alive"})


def wrapped_connector(library: ModuleType) -> Sequence[Wrapped]:
    """Return the method to wrap in aiohttp, with its wrapper."""

    def connector(original: Callable[..., Any]) -> Callable[..., Any]:
        async def connect(self: Any, req: Any, traces: Any, timeout: Any) -> Any:
            if not may_be_seen(req.method, str(req.url)):
                return await original(self, req, traces=traces, timeout=timeout)
            headers = {name.lower(): text for name, text in req.headers.items()}
            call = HTTPCall(req.method, str(req.url), headers, await _body_of(req))

            async def send() -> HTTPAnswer:
                return await _sent(library, self, req, call, timeout)

            answer = await answered_async(call, send)
            if answer is None:
                return await original(self, req, traces=traces, timeout=timeout)
            return _kept_connection(answer)

        return connect

    return (Wrapped(library.BaseConnector, "connect", connector),)


async def _body_of(req: Any) -> bytes:
    """Return a request's body, b"" for one that can be read only once."""
    body = req.body
    if isinstance(body, bytes):
        return body
    if hasattr(body, "as_bytes"):
        return bytes(await body.as_bytes())
    value = getattr(body, "_value", b"")
    return value.encode() if isinstance(value, str) else bytes(value)


async def _sent(
    library: ModuleType, connector: Any, req: Any, call: HTTPCall, timeout: Any
) -> HTTPAnswer:
    """Make the call by a session of its own on the same connector, and read the whole answer.

    `SendingClient` lets its connection pass.
    """
    headers = {name: text for name, text in req.headers.items() if name.lower() not in _SENT_ANEW}
    headers["Accept-Encoding"] = "identity"
    session = library.ClientSession(
        connector=connector,
        connector_owner=False,
        auto_decompress=False,
        cookie_jar=library.DummyCookieJar(),
        timeout=timeout,
    )
    options = {"proxy": req.proxy, "proxy_headers": req.proxy_headers, "ssl": req.ssl}
    async with (
        session,
        session.request(
            req.method, req.url, data=call.body, headers=headers, allow_redirects=False, **options
        ) as response,
    ):
        told = {name.lower(): text for name, text in response.headers.items()}
        kept = {name: text for name, text in told.items() if name not in _HOP}
        return HTTPAnswer(response.status, kept, await response.read())


def _kept_connection(answer: HTTPAnswer) -> Any:
    from aiohttp.client_proto import ResponseHandler  # noqa: PLC0415 - imported by now

    class Kept(ResponseHandler):
        """A connection's protocol that has the whole answer before the request is written."""

        def set_response_params(self, **parameters: Any) -> None:
            super().set_response_params(**parameters)
            self.data_received(_raw(answer))

    protocol = Kept(asyncio.get_running_loop())
    protocol.connection_made(_NoTransport())
    return _NoConnection(protocol)


def _raw(answer: HTTPAnswer) -> bytes:
    """Return the answer as a server sends it."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    lines = [
        f"HTTP/1.1 {answer.status} {phrase}",
        *(f"{name}: {text}" for name, text in answer.headers.items()),
        f"content-length: {len(answer.body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + answer.body


class _NoTransport(asyncio.Transport):
    """Takes what is written to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def write(self, data: Any) -> None:
        """Drop the data: the answer is known."""

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    abort = close

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def get_write_buffer_size(self) -> int:
        return 0


class _NoConnection:
    """What aiohttp takes for a connection; it belongs to no pool."""

    def __init__(self, protocol: aiohttp.client_proto.ResponseHandler) -> None:
        self.protocol: Any = protocol
        self.transport = protocol.transport
        self._connector = self
        self.force_close = True

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Nothing waits for its release."""

    def close(self) -> None:
        """End it."""
        if self.protocol is not None:
            self.protocol.close()
            self.protocol = None

    release = close

    @property
    def closed(self) -> bool:
        return self.protocol is None
