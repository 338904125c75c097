"""A proxy before an endpoint that counts calls and tokens, and records the replies.

A run that was broken off and starts again gets the recorded replies to the requests that it
repeats, the n-th reply for the n-th equal request, and so goes on where it stopped. They count as
calls again: the count is that of an undisturbed run.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict, deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_REPLY = 512
"""Tokens: a small model may ramble until its context is full. The limit is everybody's."""

_SLOWEST = 600.0
_PASSED_ON = ("Content-Type", "Retry-After")
Answer = tuple[int, dict[str, str], bytes]


class Recording:
    """The replies of one run, in a file of JSON lines, and what they come to.

    A reply's `seconds` are its share of the time in which the endpoint was busy.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._stats = {"answered": 0, "prompt_tokens": 0, "completion_tokens": 0}
        self._saved = 0.0
        self._replies: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self._open, self._since = 0, 0.0
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            if (found := _complete(line)) is not None:
                self._replies[_key(found["request"])].append(found)
        self._file = path.open("a", encoding="utf-8")
        self._file.write("\n")  # after a line that was cut

    def stats(self) -> dict[str, float]:
        """Return the count so far."""
        with self._lock:
            return self._stats | {"seconds_saved": self._saved}

    def replayed(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the next recorded reply to the request, None if there is none."""
        with self._lock:
            if not (left := self._replies.get(_key(request))):
                return None
            found = left.popleft()
            self._saved += found["seconds"]
            return self._counted(found["reply"])

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Watch a call on its way."""
        with self._lock:
            self._since = self._since if self._open else time.monotonic()
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    def add(self, request: dict[str, Any], reply: dict[str, Any]) -> None:
        """Record the reply of a call that is `busy`, unless the run has ended meanwhile."""
        with self._lock:
            if self._file.closed:
                return
            now = time.monotonic()
            line = {"request": request, "reply": reply, "seconds": round(now - self._since, 4)}
            self._since = now
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            self._counted(reply)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _counted(self, reply: dict[str, Any]) -> dict[str, Any]:
        self._stats["answered"] += 1
        for name in ("prompt_tokens", "completion_tokens"):
            self._stats[name] += reply.get("usage", {}).get(name, 0)
        return reply


@contextmanager
def recording(api_base: str, api_key: str, path: Path) -> Iterator[str]:
    """Serve before the endpoint, from a thread, and give the base URL; replies go to the file.

    Clients need no key: `api_key`, if not empty, is the proxy's own, and is recorded nowhere.
    """
    kept = Recording(path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = self.path.endswith("/stats")
            self._send((200 if known else 404, {}, json.dumps(kept.stats()).encode()))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send(_answer(json.loads(body), f"{api_base.rstrip('/')}/chat/completions"))

        def log_message(self, *_: object) -> None:
            pass

        def _send(self, answer: Answer) -> None:
            status, headers, body = answer
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _answer(request: dict[str, Any], url: str) -> Answer:
        if (known := kept.replayed(request)) is not None:
            return 200, {}, json.dumps(known).encode()
        with kept.busy():
            status, headers, body = _asked(url, api_key, _limited(request))
            if status == 200:
                kept.add(request, json.loads(body))
            return status, headers, body

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        kept.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *at: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that was broken off
            super().handle_error(*at)


def _asked(url: str, api_key: str, request: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    asked = urllib.request.Request(url, json.dumps(request).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=_SLOWEST) as answer:
            return answer.status, {}, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            passed = {name: refused.headers[name] for name in _PASSED_ON if name in refused.headers}
            return refused.code, passed, refused.read()
    except OSError as gone:
        body = {"error": {"message": f"the endpoint can't be reached: {gone}"}}
        return 502, {}, json.dumps(body).encode()


def _limited(request: dict[str, Any]) -> dict[str, Any]:
    """Return the request with a limit of the reply's length, under the name that it uses."""
    name = "max_completion_tokens" if "max_completion_tokens" in request else "max_tokens"
    return request | {name: min(request.get(name) or LONGEST_REPLY, LONGEST_REPLY)}


def _key(request: dict[str, Any]) -> str:
    return json.dumps(request, sort_keys=True)


def _complete(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line) or None
    except ValueError:
        return None
