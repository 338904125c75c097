"""A loopback stub of OpenAI's and Anthropic's APIs: JSON, streams, tools, faults on demand."""

from __future__ import annotations

import gzip
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Faults = Callable[[int], tuple[int, dict[str, str]] | None]
"""By the number of the call: a status and headers in place of a reply, or None."""


@dataclass
class Stub:
    """A running stub: its address, and what it was asked, in order."""

    url: str
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    faults: Faults = lambda _: None
    wait: float = 0.0
    cut: bool = False
    compress: bool = False
    message: str = ""
    page: str | None = None
    reply: str = ""
    answers: Callable[[list[dict[str, Any]]], str] | None = None

    @property
    def count(self) -> int:
        return len(self.asked)


@contextmanager
def stub() -> Iterator[Stub]:
    """Serve on loopback while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    found = _Handler.stubs[server.server_address[1]] = Stub(
        f"http://127.0.0.1:{server.server_address[1]}"
    )
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stubs: ClassVar[dict[int, Stub]] = {}

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        stub = self.stubs[self.server.server_address[1]]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        stub.asked.append((self.path, body, dict(self.headers)))
        if stub.wait:
            time.sleep(stub.wait)
        if fault := stub.faults(stub.count):
            error = {"error": {"message": stub.message or f"a fault of {fault[0]}"}}
            text = json.dumps(error) if stub.page is None else stub.page
            return self._send(fault[0], text.encode(), fault[1])
        if stub.answers is not None:
            body["answer"] = stub.answers(body["messages"])
        if stub.reply:
            body["messages"] = [{"role": "user", "content": stub.reply}]
        made = _answers[self.path.partition("?")[0].rpartition("/")[2]](body)
        if isinstance(made, dict):
            return self._send(200, json.dumps(made).encode(), {})
        stream = "".join(made[: len(made) // 2] if stub.cut else made).encode()
        return self._send(200, stream, {"content-type": "text/event-stream"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in {"content-type": "application/json", **headers}.items():
            self.send_header(name, text)
        if self.stubs[self.server.server_address[1]].compress:
            body = gzip.compress(body)
            self.send_header("content-encoding", "gzip")
        self.send_header("x-request-id", "secret-of-this-answer")
        self.send_header("content-length", str(len(body)))
        # A client that waits no longer is no fault of the stub; a traceback from this thread would
        # also disturb one that pytest makes meanwhile (python/cpython#106905).
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)


def _reply(body: dict[str, Any]) -> str:
    if "answer" in body:
        return str(body["answer"])
    last = body["messages"][-1]
    content = last["content"]
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    return f"{last['role']} said {content}"


def _legacy(body: dict[str, Any]) -> dict[str, Any] | list[str]:
    head = {"id": "c-1", "object": "text_completion", "created": 0, "model": body["model"]}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    choices = [
        {"index": n, "text": f"user said {prompt}", "finish_reason": "stop", "logprobs": None}
        for n, prompt in enumerate(prompts)
    ]
    if not body.get("stream"):
        return {**head, "choices": choices, "usage": usage}
    parts = [{**choices[0], "text": "user said ", "finish_reason": None}]
    parts.append({**choices[0], "text": prompts[0]})
    chunks = [*({**head, "choices": [part]} for part in parts), {**head, "choices": []}]
    chunks[-1]["usage"] = usage
    return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


def _chat(body: dict[str, Any]) -> dict[str, Any] | list[str]:
    if "prompt" in body:
        return _legacy(body)
    head = {"id": "c-1", "created": 0, "model": body["model"]}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    wants_tool = body.get("tools") and body["messages"][-1]["role"] == "user"
    function = {"name": "look_up", "arguments": '{"order": 7}'}
    calls = [{"id": "call-1", "type": "function", "function": function}] if wants_tool else None
    why = "tool_calls" if calls else "stop"
    if not body.get("stream"):
        message = {"role": "assistant", "content": None if calls else _reply(body)}
        message |= {"tool_calls": calls} if calls else {}
        choice = {"index": 0, "message": message, "finish_reason": why}
        return {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    part = {"index": 0, "finish_reason": None}
    deltas = [{"content": f"{word} "} for word in _reply(body).split()]
    chunks = [
        {**head, "object": "chat.completion.chunk", "choices": [{**part, "delta": each}]}
        for each in [{"role": "assistant", "content": ""}, *deltas]
    ]
    last = {"index": 0, "delta": {}, "finish_reason": why}
    chunks.append({**head, "object": "chat.completion.chunk", "choices": [last]})
    chunks.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


def _anthropic(body: dict[str, Any]) -> dict[str, Any] | list[str]:
    text, usage = _reply(body), {"input_tokens": 7, "output_tokens": 3}
    message = {"id": "m-1", "type": "message", "role": "assistant", "model": body["model"]}
    message |= {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    if not body.get("stream"):
        return {**message, "content": [{"type": "text", "text": text}]}
    started = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 0},
    }
    block = {"type": "text", "text": ""}
    events = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": f"{word} "},
            }
            for word in text.split()
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 3},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


def _responses(body: dict[str, Any]) -> dict[str, Any] | list[str]:
    content = [{"type": "output_text", "text": f"said {body['input']}", "annotations": []}]
    item = {"id": "i-1", "type": "message", "role": "assistant", "status": "completed"}
    response = {
        "id": "r-1",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": body["model"],
        "output": [{**item, "content": content}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 7,
            "output_tokens": 3,
            "total_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }
    if not body.get("stream"):
        return response
    place = {"item_id": "i-1", "output_index": 0, "content_index": 0}
    events = [
        {
            "type": "response.output_text.delta",
            "delta": content[0]["text"],
            "logprobs": [],
            **place,
        },
        {"type": "response.completed", "response": response},
    ]
    return [
        f"event: {each['type']}\ndata: {json.dumps({**each, 'sequence_number': n})}\n\n"
        for n, each in enumerate(events)
    ]


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


_answers = {
    "completions": _chat,
    "messages": _anthropic,
    "responses": _responses,
    "embeddings": _embeddings,
}


def close_litellm_clients() -> None:
    """Close the blocking clients that `litellm.completion` keeps: later tests would be warned."""
    import litellm  # noqa: PLC0415 - slow

    for made in litellm.in_memory_llm_clients_cache.cache_dict.values():
        if not inspect.iscoroutinefunction(made.close):
            made.close()
    litellm.in_memory_llm_clients_cache.flush_cache()
