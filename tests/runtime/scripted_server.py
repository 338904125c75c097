"""A loopback HTTP server that plays a script of answers, faults included, and records requests."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    drip: float = 0.0  # seconds between single bytes


def completion(text: str | None, **changes: Any) -> Answer:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": changes.pop("finish_reason", "stop"),
    }
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-1",
        "choices": [choice],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    }
    return Answer(body=json.dumps({**body, **changes}))


def failure(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    body = {"error": {"message": message, "type": "error", "code": code, "param": None}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body), named)


class ScriptedServer:
    """`script` holds the answers in order; the last one is repeated. A function answers by body."""

    def __init__(self) -> None:
        self.script: list[Answer] | Callable[[dict[str, Any]], Answer] = [completion("hello")]
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            if callable(self.script):
                return self.script(body)
            return self.script[min(len(self.bodies), len(self.script)) - 1]

    def _left(self) -> None:
        with self._lock:
            self._now -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length))
                answer = owner._take(body, dict(self.headers.items()))
                try:
                    time.sleep(answer.delay)
                    self._send(answer)
                except OSError:
                    self.close_connection = True  # the client has gone
                finally:
                    owner._left()

            def _send(self, answer: Answer) -> None:
                data = answer.body.encode()
                self.send_response(answer.status)
                headers = {"content-type": "application/json", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                for place in range(len(data) if answer.drip else 0):
                    self.wfile.write(data[place : place + 1])
                    time.sleep(answer.drip)
                if answer.drip:
                    return
                self.wfile.write(data[: len(data) // 2] if answer.cut else data)
                if answer.cut:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                pass

        return Handler
