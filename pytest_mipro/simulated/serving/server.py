"""The simulated models over HTTP: an OpenAI-compatible loopback server with faults."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.simulated.serving import chat_api
from pytest_mipro.simulated.serving.faults import Fault, FaultPlan, Latency, RateLimit, Stats

HOST = "127.0.0.1"
LARGEST_BODY = 32 * 2**20
_UNENDING = 3600.0


@dataclass(frozen=True)
class ServerOptions:
    """How a server behaves. Times are in seconds, `requests_per_second` 0 is no limit.

    `api_key` "" lets everybody in. `retry_after` is what a 429 fault asks to wait. With
    `vary_repeats` equal requests at a temperature above 0 are further samples, as at a real
    endpoint; without it they get equal replies, and only a `seed` in the request tells them apart.
    With `record`, GET /calls tells of each call when it came and left (seconds of the machine's
    monotonic clock) and its status.
    """

    port: int = 0
    latency: Latency = field(default_factory=Latency)
    faults: FaultPlan = field(default_factory=FaultPlan)
    retry_after: float = 0.0
    requests_per_second: float = 0.0
    api_key: str = ""
    vary_repeats: bool = False
    record: bool = False


@dataclass(frozen=True)
class HTTPRequest:
    """One HTTP request as it was read from a connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class HTTPAnswer:
    """One answer. `raw` replaces the JSON of `body`, `cut` ends the connection half-way."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    cut: bool = False


class SimulatedServer:
    """Serves on one event loop. `stats` counts; `url` is the base URL once it has started."""

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.stats = Stats()
        self.calls: list[tuple[float, float, int]] = []
        self.url = ""
        self._limit = RateLimit(options.requests_per_second)
        self._attempts: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind to the loopback port; raises ConfigurationError where it is taken."""
        try:
            self._server = await asyncio.start_server(
                self._connected, HOST, self.options.port, limit=2**17, backlog=1024
            )
        except OSError as taken:
            raise ConfigurationError(
                f"port {self.options.port} of {HOST} can't be bound ({taken.strerror}); "
                "choose another one, or 0 for any free one"
            ) from taken
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}/v1"

    async def close(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        try:
            while (request := await read_request(reader)) is not None:
                answer = await self._answer(request)
                alive = request.headers.get("connection", "").lower() != "close"
                await _send(writer, answer, alive=alive)
                if answer.cut or not alive:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or sent what is no HTTP: there is nobody to answer
        except asyncio.CancelledError:
            pass  # the server closes; a task that ends quietly leaves no warning behind
        finally:
            self._connections.discard(cast("asyncio.Task[None]", task))
            writer.close()

    async def _answer(self, request: HTTPRequest) -> HTTPAnswer:
        path = request.path.split("?")[0].rstrip("/")
        if request.method == "GET" and path.endswith("/stats"):
            return HTTPAnswer(200, self.stats.data())
        if request.method == "GET" and path.endswith("/calls"):
            return HTTPAnswer(200, {"calls": self.calls})
        if not self._admits(request):
            self.stats.refused += 1
            return HTTPAnswer(*chat_api.error(401, "Incorrect API key.", "invalid_api_key"))
        if request.method == "GET" and path.endswith("/models"):
            return HTTPAnswer(200, chat_api.models())
        if request.method == "POST" and path.endswith("/chat/completions"):
            return await self._timed(request.body)
        return HTTPAnswer(*chat_api.error(404, f"There is no {path}.", "not_found"))

    async def _timed(self, body: bytes) -> HTTPAnswer:
        began = time.monotonic()
        self.stats.enter(began)
        answer = None
        try:
            answer = await self._complete(body, began)
            return answer
        finally:
            ended = time.monotonic()
            self.stats.leave(began, ended)
            if self.options.record:
                self.calls.append((began, ended, answer.status if answer else 0))

    def _admits(self, request: HTTPRequest) -> bool:
        wanted = self.options.api_key
        return not wanted or request.headers.get("authorization", "") == f"Bearer {wanted}"

    async def _complete(self, body: bytes, began: float) -> HTTPAnswer:
        try:
            data = chat_api.parsed(body)
        except ConfigurationError as wrong:
            return HTTPAnswer(*chat_api.error(400, str(wrong), "invalid_body"))
        if (wait := self._limit.wait(time.monotonic())) > 0:
            self.stats.rate_limited += 1
            return _too_many(wait)
        digest = chat_api.request_digest(data)
        fault = self.options.faults.fault(digest, self._attempts[digest])
        self._attempts[digest] += 1
        if fault is not None:
            self.stats.faults[fault] += 1
            return await self._failed(fault, data, digest)
        self._attempts[digest] = 0 if self.options.vary_repeats else self._attempts[digest]
        sample = self._answered[digest] if self.options.vary_repeats else 0
        self._answered[digest] += 1
        status, answer = chat_api.completion(data, sample)
        seconds = self.options.latency.seconds(digest)
        self.stats.service_seconds += seconds
        # What the model has computed meanwhile is part of the latency, not on top of it.
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        if status == HTTPStatus.OK:
            self.stats.answer(answer["usage"])
        return HTTPAnswer(status, answer)

    async def _failed(self, fault: Fault, data: dict[str, Any], digest: str) -> HTTPAnswer:
        if fault == "429":
            return _too_many(self.options.retry_after)
        if fault == "500":
            return HTTPAnswer(*chat_api.error(500, "An injected fault.", "injected"))
        if fault == "timeout":
            await asyncio.sleep(_UNENDING)
        await asyncio.sleep(self.options.latency.seconds(digest))
        whole = json.dumps(chat_api.completion(data, 0)[1]).encode()
        return HTTPAnswer(200, {}, raw=whole[: len(whole) // 2], cut=fault == "cut")


def _too_many(wait: float) -> HTTPAnswer:
    status, body = chat_api.error(429, f"Try again in {wait:.3f} s.", "rate_limit_exceeded")
    # The header takes whole seconds by its standard; clients read fractions too.
    shown = f"{wait:.3f}" if wait < 1 else str(math.ceil(wait))
    return HTTPAnswer(status, body, headers=(("Retry-After", shown),))


async def read_request(reader: asyncio.StreamReader) -> HTTPRequest | None:
    """Return the next request of a connection, None at its end or where it is no HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3:
        return None
    pairs = (line.partition(":") for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return None
    body = await reader.readexactly(int(length))
    return HTTPRequest(parts[0], parts[1], headers, body)


async def _send(writer: asyncio.StreamWriter, answer: HTTPAnswer, *, alive: bool) -> None:
    body = json.dumps(answer.body).encode() if answer.raw is None else answer.raw
    length = 2 * len(body) + 1 if answer.cut else len(body)
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        f"Connection: {'keep-alive' if alive else 'close'}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    await writer.drain()


@dataclass(frozen=True)
class Running:
    """A server that runs: `url` is what a client takes as its base URL."""

    url: str
    server: SimulatedServer

    def stats(self) -> dict[str, Any]:
        """Return the counts so far, as GET /stats gives them."""
        return self.server.stats.data()


@contextmanager
def serve(options: ServerOptions | None = None, **settings: Any) -> Iterator[Running]:
    """Run a server in a thread of its own while the block runs.

    Takes ServerOptions or its fields by name. Raises ConfigurationError where it can't start.
    """
    server = SimulatedServer(options or ServerOptions(**settings))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mipro-simulated", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield Running(server.url, server)
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
