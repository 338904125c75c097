"""See calls in the transports of lm15, which DSPy makes its calls with since 3.4.

They are built on plain sockets. An engine or a transport of the pipeline's own stands above or in
place of them: what it answers never comes here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType
from typing import Any

from pytest_mipro.runtime.own_calls.answering import answered, answered_async
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, HTTPCall
from pytest_mipro.runtime.own_calls.seen import may_be_seen
from pytest_mipro.runtime.own_calls.transports.wrapping import Wrapped

# Of the body as it was sent: these transports give it without its framing and compression.
_AS_SENT = ("transfer-encoding", "content-length", "content-encoding", "connection", "keep-alive")


def wrapped_transports(library: ModuleType) -> Sequence[Wrapped]:
    """Return the methods to wrap in lm15's transports, each with its wrapper."""
    sync, awaited = partial(_sync_stream, library), partial(_async_stream, library)
    return (
        Wrapped(library.StdlibTransport, "stream", sync),
        Wrapped(library.StdlibAsyncTransport, "stream", awaited),
    )


def _sync_stream(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    def stream(transport: Any, request: Any) -> Any:
        if not may_be_seen(request.method, request.url):
            return original(transport, request)

        def send() -> HTTPAnswer:
            with original(transport, request) as response:
                return _answer(response, response.read())

        answer = answered(_call(request), send)
        if answer is None:
            return original(transport, request)
        release = _nothing_to_release
        chunks = iter((answer.body,))
        return library.TransportResponse(**_head(answer), chunks=chunks, release=release)

    return stream


def _async_stream(library: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    def stream(transport: Any, request: Any) -> Any:
        opened = partial(original, transport, request)
        seen = may_be_seen(request.method, request.url)
        return _Opening(library, request, opened) if seen else opened()

    return stream


class _Opening:
    """What lm15 awaits, or enters, for the answer to a call."""

    def __init__(self, library: ModuleType, request: Any, opened: Callable[[], Any]) -> None:
        self._library = library
        self._request = request
        self._opened = opened
        self._stack = AsyncExitStack()

    def __await__(self) -> Any:
        return self._response().__await__()

    async def __aenter__(self) -> Any:
        response = await self._response()
        self._stack.push_async_callback(response.aclose)
        return response

    async def __aexit__(self, *raised: object) -> None:
        await self._stack.aclose()

    async def _response(self) -> Any:
        answer = await answered_async(_call(self._request), self._send)
        if answer is None:
            return await self._opened()
        return self._library.AsyncTransportResponse(
            **_head(answer), chunks=_chunks(answer.body), release=_nothing_to_await
        )

    async def _send(self) -> HTTPAnswer:
        async with self._opened() as response:
            return _answer(response, await response.read())


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _nothing_to_release(_body_consumed: bool) -> None:
    """Leave the connection alone: it was released with the whole answer."""


async def _nothing_to_await(_body_consumed: bool) -> None:
    """Do the same."""


def _call(request: Any) -> HTTPCall:
    headers = {name.lower(): text for name, text in request.headers}
    return HTTPCall(request.method, request.url, headers, bytes(request.body or b""))


def _answer(response: Any, body: bytes) -> HTTPAnswer:
    headers = {name.lower(): text for name, text in response.headers}
    kept = {name: text for name, text in headers.items() if name not in _AS_SENT}
    return HTTPAnswer(response.status, kept, body)


def _head(answer: HTTPAnswer) -> dict[str, Any]:
    headers = list(answer.headers.items())
    return {"status": answer.status, "reason": "", "headers": headers, "http_version": "HTTP/1.1"}
