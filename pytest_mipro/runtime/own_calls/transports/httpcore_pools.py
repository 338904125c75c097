"""See calls in the connection pools of httpcore and httpcore2, which httpx and httpx2 stand on.

Fakes of httpx (pytest-httpx, VCR.py, `MockTransport`, ASGI) stand above the pools: what they answer
never comes here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from functools import partial
from types import ModuleType
from typing import Any

from pytest_mipro.runtime.own_calls.answering import answered, answered_async
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, HTTPCall
from pytest_mipro.runtime.own_calls.seen import may_be_seen
from pytest_mipro.runtime.own_calls.transports.wrapping import Wrapped

_PLAIN = (b"accept-encoding", b"identity")
# Of one connection, or of the body as it was sent, which is not how it is passed on.
_HOP = ("transfer-encoding", "content-length", "connection", "keep-alive")


def wrapped_pools(httpcore: ModuleType) -> Sequence[Wrapped]:
    """Return the methods to wrap in httpcore or its successor, each with its wrapper."""
    sync, awaited = partial(_sync_pool, httpcore), partial(_async_pool, httpcore)
    return (
        Wrapped(httpcore.ConnectionPool, "handle_request", sync),
        Wrapped(httpcore.AsyncConnectionPool, "handle_async_request", awaited),
    )


def _sync_pool(httpcore: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    def handle_request(pool: Any, request: Any) -> Any:
        if not may_be_seen(request.method.decode(), _url(request)):
            return original(pool, request)
        call = _call(request, b"".join(request.stream))

        def send() -> HTTPAnswer:
            response = original(pool, _copy(httpcore, request, call.body, plain=True))
            try:
                return _answer(response, response.read())
            finally:
                response.close()

        answer = answered(call, send)
        if answer is None:
            return original(pool, _copy(httpcore, request, call.body))
        return _response(httpcore, answer)

    return handle_request


def _async_pool(httpcore: ModuleType, original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle_async_request(pool: Any, request: Any) -> Any:
        if not may_be_seen(request.method.decode(), _url(request)):
            return await original(pool, request)
        call = _call(request, b"".join([part async for part in request.stream]))

        async def send() -> HTTPAnswer:
            async with _opened_anew(pool) as own:
                response = await original(own, _copy(httpcore, request, call.body, plain=True))
                try:
                    return _answer(response, await response.aread())
                finally:
                    await response.aclose()

        answer = await answered_async(call, send)
        if answer is None:
            return await original(pool, _copy(httpcore, request, call.body))
        return _response(httpcore, answer)

    return handle_async_request


@asynccontextmanager
async def _opened_anew(pool: Any) -> AsyncIterator[Any]:
    """Yield a pool like this one whose connections end with the block.

    A client may be the whole pipeline's, while each case has a loop, and a connection of another
    loop is of no use.
    """
    if not {"_connections", "_requests"} <= vars(pool).keys():  # of an httpcore before 1.0
        yield pool
        return
    own = copy(pool)
    own._connections, own._requests = [], []  # noqa: SLF001 - all that a pool changes
    try:
        yield own
    finally:
        await own.aclose()


def _url(request: Any) -> str:
    url = request.url
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme.decode()}://{url.host.decode()}{port}{url.target.decode('latin-1')}"


def _call(request: Any, body: bytes) -> HTTPCall:
    headers = {name.decode().lower(): text.decode("latin-1") for name, text in request.headers}
    return HTTPCall(request.method.decode(), _url(request), headers, body)


def _copy(httpcore: ModuleType, request: Any, body: bytes, *, plain: bool = False) -> Any:
    """Return the request anew: its stream was read. `plain` asks for an uncompressed answer."""
    headers = [pair for pair in request.headers if not plain or pair[0].lower() != _PLAIN[0]]
    return httpcore.Request(
        request.method,
        request.url,
        headers=[*headers, _PLAIN] if plain else headers,
        content=body,
        extensions=request.extensions,
    )


def _answer(response: Any, body: bytes) -> HTTPAnswer:
    headers = {name.decode().lower(): text.decode("latin-1") for name, text in response.headers}
    return HTTPAnswer(
        response.status, {name: text for name, text in headers.items() if name not in _HOP}, body
    )


def _response(httpcore: ModuleType, answer: HTTPAnswer) -> Any:
    headers = [(name.encode(), text.encode("latin-1")) for name, text in answer.headers.items()]
    length = (b"content-length", str(len(answer.body)).encode())
    extensions = {"http_version": b"HTTP/1.1"}
    return httpcore.Response(
        answer.status, headers=[*headers, length], content=answer.body, extensions=extensions
    )
