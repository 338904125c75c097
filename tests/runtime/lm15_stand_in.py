"""What lm15's transports are to those who call them, as DSPy ships them: sockets of their own."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

Headers = list[tuple[str, str]]


class ConnectError(Exception):
    """No connection came about."""


@dataclass
class TransportRequest:
    method: str
    url: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass
class _Response:
    status: int
    reason: str
    headers: Headers
    http_version: str


@dataclass
class TransportResponse(_Response):
    chunks: Iterator[bytes]
    release: Callable[[bool], None]

    def read(self) -> bytes:
        return b"".join(self.chunks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release(True)


@dataclass
class AsyncTransportResponse(_Response):
    chunks: AsyncIterator[bytes]
    release: Callable[[bool], Awaitable[None]]

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks])

    async def aclose(self) -> None:
        await self.release(True)


class StdlibTransport:
    def stream(self, request: TransportRequest) -> TransportResponse:
        parts = urlsplit(request.url)
        connection = http.client.HTTPConnection(parts.netloc)
        try:
            connection.request(request.method, parts.path, request.body, dict(request.headers))
        except OSError as error:
            raise ConnectError("failed to connect") from error
        answer = connection.getresponse()
        head = (answer.status, answer.reason, answer.getheaders(), "HTTP/1.1")
        return TransportResponse(*head, iter((answer.read(),)), lambda _: connection.close())


class _Opening:
    def __init__(self, request: TransportRequest) -> None:
        self._request = request

    def __await__(self) -> Generator[Any, None, AsyncTransportResponse]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> AsyncTransportResponse:
        with await asyncio.to_thread(StdlibTransport().stream, self._request) as made:
            head = (made.status, made.reason, made.headers, made.http_version)
            return AsyncTransportResponse(*head, _each(made.read()), _released)

    async def __aexit__(self, *_: object) -> None: ...


async def _each(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _released(_: bool) -> None: ...


class StdlibAsyncTransport:
    def stream(self, request: TransportRequest) -> _Opening:
        return _Opening(request)
