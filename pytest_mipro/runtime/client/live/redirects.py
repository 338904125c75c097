"""Refuse redirects of live calls to another origin: HTTP libraries would send keys along.

They remove only `Authorization`, not the headers and parameters that other providers' keys are in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

_refused: ContextVar[bool] = ContextVar("mipro_redirects_refused", default=False)


class RedirectRefusedError(Exception):
    """The endpoint redirects a call to another scheme, host or port."""


@contextmanager
def redirects_refused() -> Iterator[None]:
    """Raise RedirectRefusedError for calls of this context that are redirected elsewhere.

    Redirects within the endpoint's origin are followed.
    """
    token = _refused.set(True)
    try:
        yield
    finally:
        _refused.reset(token)


def watch_redirects() -> None:
    """Make httpx, which litellm calls models with, heed `redirects_refused`; call it once."""
    import httpx  # noqa: PLC0415 - it comes with litellm, which most runs don't need

    asked, asked_async = httpx.Client.send, httpx.AsyncClient.send

    @wraps(asked)
    def send(self: Any, request: Any, **given: Any) -> Any:
        if not _refused.get():
            return asked(self, request, **given)
        for _ in range(self.max_redirects):
            response = asked(self, request, **given | {"follow_redirects": False})
            if response.next_request is None:
                return response
            response.close()
            request = _within(request, response.next_request)
        raise httpx.TooManyRedirects("too many redirects", request=request)

    @wraps(asked_async)
    async def send_async(self: Any, request: Any, **given: Any) -> Any:
        if not _refused.get():
            return await asked_async(self, request, **given)
        for _ in range(self.max_redirects):
            response = await asked_async(self, request, **given | {"follow_redirects": False})
            if response.next_request is None:
                return response
            await response.aclose()
            request = _within(request, response.next_request)
        raise httpx.TooManyRedirects("too many redirects", request=request)

    httpx.Client.send = send  # type: ignore[method-assign]
    httpx.AsyncClient.send = send_async  # type: ignore[method-assign]


def _within(request: Any, following: Any) -> Any:
    """Return the request that follows; raises RedirectRefusedError where its origin is another."""
    here, there = (_origin(each.url) for each in (request, following))
    if here != there:
        raise RedirectRefusedError(
            f"redirects the call from {here} to {there}, where it would send your key; if you "
            "trust that place, set it as the base URL"
        )
    return following


def _origin(url: Any) -> str:
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return f"{url.scheme}://{url.host}:{port}"
