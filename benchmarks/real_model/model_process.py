"""Serve a GGUF file on loopback until the process ends; runs in the server's own environment.

    python model_process.py GGUF PORT THREADS

OpenVINO computes in 8 bits, all requests under way together; prompts that begin alike share what
was computed of their beginning, and a demo set is read once, not once for every row.
"""

from __future__ import annotations

import itertools
import json
import queue
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openvino_genai as genai

AT_ONCE = 24
CONTEXT = 32_768
"""Calls that are answered together, and the tokens that one's prompt and reply may take."""
CACHE = 6
"""Gigabytes for what was computed of prompts."""
END_MARKS = ("<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>")
"""What ends a reply, beside the mark that the model names."""
TEMPERATURE, TOP_P, TOP_K = 0.8, 0.95, 40
"""Of a request that names none: llama.cpp's."""
LONGEST_REPLY = 4_096


class TooLongError(ValueError):
    """A prompt leaves no room for a reply."""


@dataclass
class Call:
    """A request on its way: the tokens of its reply so far, and the error that ended it."""

    body: dict[str, Any]
    done: threading.Event = field(default_factory=threading.Event)
    handle: Any = None
    read: bool = False
    prompt_tokens: int = 0
    tokens: list[int] = field(default_factory=list)
    ended: str = "stop"
    error: Exception | None = None

    @property
    def limit(self) -> int:
        """The most tokens of the reply."""
        asked = self.body.get("max_tokens") or self.body.get("max_completion_tokens")
        return min(asked or LONGEST_REPLY, CONTEXT - self.prompt_tokens)

    def take(self) -> bool:
        """Take what was generated; return whether the reply is complete."""
        while self.handle.can_read():
            self.read = True
            for output in self.handle.read().values():
                self.tokens.extend(output.generated_ids)
                cut = output.finish_reason == genai.GenerationFinishReason.LENGTH
                self.ended = "length" if cut else "stop"
        status = self.handle.get_status()
        if status not in (genai.GenerationStatus.RUNNING, genai.GenerationStatus.FINISHED):
            raise RuntimeError(f"the reply ended with {status}")
        return bool(status == genai.GenerationStatus.FINISHED)

    def end(self, error: Exception | None = None) -> None:
        """Let the one who waits go on."""
        self.error = error
        self.done.set()


class Model:
    """The model, with one thread that computes."""

    def __init__(self, path: str, threads: int) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = CACHE
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = 512
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        self._pipeline = genai.ContinuousBatchingPipeline(path, scheduler, "CPU", settings, {})
        self._tokenizer = self._pipeline.get_tokenizer()
        marks = {self._mark(text) for text in END_MARKS} - {None}
        self._ends = marks | {self._tokenizer.get_eos_token_id()}
        self._numbers = itertools.count(1)
        self._waiting: queue.Queue[Call] = queue.Queue()
        threading.Thread(target=self._compute, daemon=True).start()

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the completion; raises ValueError where no request like it can be answered."""
        call = Call(body)
        self._waiting.put(call)
        call.done.wait()
        if call.error:
            raise call.error
        kept = [token for token in call.tokens if token not in self._ends]
        used, made = call.prompt_tokens, len(call.tokens)
        text = self._tokenizer.decode(kept, skip_special_tokens=True) if kept else ""
        choice = {
            "index": 0,
            "finish_reason": call.ended,
            "message": {"role": "assistant", "content": text},
        }
        usage = {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made}
        return {
            "id": "local",
            "object": "chat.completion",
            "model": body.get("model", "local"),
            "choices": [choice],
            "usage": usage,
        }

    def _mark(self, text: str) -> int | None:
        tokens = self._encoded(text).data[0]
        return int(tokens[0]) if len(tokens) == 1 else None

    def _encoded(self, text: str) -> Any:
        return self._tokenizer.encode(text, add_special_tokens=False).input_ids

    def _compute(self) -> None:
        """Answer the calls that wait, for ever.

        One starts when the prompts of the others are read: equal beginnings are then known.
        """
        under_way: list[Call] = []
        while True:
            if len(under_way) < AT_ONCE and all(call.read for call in under_way):
                under_way += self._next(wait=not under_way)
            if under_way:
                under_way = self._step(under_way)

    def _step(self, calls: list[Call]) -> list[Call]:
        """Compute a token of each call; return those that are not complete."""
        try:
            self._pipeline.step()
            complete = [call for call in calls if call.take()]
        except Exception as problem:  # noqa: BLE001 - this thread has to go on
            for call in calls:
                call.end(problem)
            return []
        for call in complete:
            call.end()
        return [call for call in calls if not call.done.is_set()]

    def _next(self, *, wait: bool) -> list[Call]:
        """Return the call that was begun, if there is one and it can be."""
        try:
            call = self._waiting.get(block=wait)
        except queue.Empty:
            return []
        try:
            self._begin(call)
        except Exception as problem:  # noqa: BLE001 - this thread has to go on
            call.end(problem)
            return []
        return [call]

    def _begin(self, call: Call) -> None:
        if not isinstance(call.body, dict) or not call.body.get("messages"):
            raise ValueError("a request is an object with messages")
        prompt = self._tokenizer.apply_chat_template(
            [{"role": one["role"], "content": one["content"]} for one in call.body["messages"]],
            add_generation_prompt=True,
        )
        tokens = self._encoded(prompt)
        call.prompt_tokens = tokens.shape[1]
        if call.limit <= 0:
            raise TooLongError(f"{call.prompt_tokens} tokens exceed the context of {CONTEXT}")
        number = next(self._numbers)
        call.handle = self._pipeline.add_request(number, tokens, self._settings(call, number))

    def _settings(self, call: Call, number: int) -> Any:
        body, chosen = call.body, genai.GenerationConfig()
        chosen.max_new_tokens = call.limit
        chosen.stop_token_ids = self._ends
        temperature = body.get("temperature")
        if temperature != 0:
            chosen.do_sample = True
            chosen.temperature = TEMPERATURE if temperature is None else temperature
            chosen.top_p, chosen.top_k = body.get("top_p") or TOP_P, TOP_K
            chosen.rng_seed = number
        if stop := body.get("stop"):
            chosen.stop_strings = {stop} if isinstance(stop, str) else set(stop)
        if schema := _schema(body.get("response_format") or {}):
            chosen.structured_output_config = genai.StructuredOutputConfig(json_schema=schema)
        return chosen


def _schema(wanted: dict[str, Any]) -> str:
    """Return the JSON schema that a reply is held to, "" for none."""
    if wanted.get("type") == "json_object":
        return json.dumps({"type": "object"})
    return json.dumps(wanted["json_schema"]["schema"]) if "json_schema" in wanted else ""


class Server(ThreadingHTTPServer):
    """Lets as many calls wait for a thread as come at once: five, by default."""

    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    """The HTTP side."""

    protocol_version = "HTTP/1.1"
    model: Model

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "local", "object": "model"}]})

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(200, self.model.reply(body))
        except ValueError as problem:
            code = "context_length_exceeded" if isinstance(problem, TooLongError) else None
            kind = "invalid_request_error"
            self._send(400, {"error": {"message": str(problem), "type": kind, "code": code}})
        except ConnectionError:
            return  # the one who asked has gone
        except Exception as problem:  # noqa: BLE001 - told to the one who asked
            self._send(500, {"error": {"message": repr(problem), "type": "server_error"}})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, code: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve."""
    path, port, threads = sys.argv[1:]
    Handler.model = Model(path, int(threads))
    with Server(("127.0.0.1", int(port)), Handler) as server:
        print(f"http://127.0.0.1:{port}/v1", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
