"""Serve a sentence encoder as a model that names labels, on loopback; in an environment of its own.

    python encoder_process.py PORT

Of the labels that a request allows, the reply is the one that is nearest to the query: by its own
name, or by the nearest demo that has it. So demos teach it much and instructions nothing, and it
writes none: whatever else is asked gets the same sentence. It reads the requests of our task
program and of DSPy's.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Embed = Callable[[str], np.ndarray]

ADVICE = "Read the message with care and name its intent."
_LABELS = re.compile(r"Reply with exactly one of these values and nothing else:\n((?:- .*\n?)+)")
_DSPY_LABELS = re.compile(r"must exactly match \(no extra characters\) one of: (.*)")
_DSPY_OUTPUTS = re.compile(r"Your output fields are:\n((?:\d+\. .*\n)+)")
_QUERY = re.compile(r"<query>\n(.*?)\n</query>", re.DOTALL)
_DSPY_QUERY = re.compile(r"\[\[ ## query ## \]\]\n(.*?)(?:\n\nRespond with|\Z)", re.DOTALL)
_DSPY_ANSWER = re.compile(r"\[\[ ## \w+ ## \]\]\n(.*)")


def loaded() -> Embed:
    """Return the encoder: the mean of a text's token vectors, of length 1."""
    # Here, as tests encode in another way, without these packages.
    import wordllama  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    folder = Path(wordllama.__file__).parent
    tokens = Tokenizer.from_file(str(next((folder / "tokenizers").glob("*.json"))))
    (vectors,) = load_file(next((folder / "weights").glob("*.safetensors"))).values()

    @cache
    def embed(text: str) -> np.ndarray:
        ids = tokens.encode(text, add_special_tokens=False).ids or [0]
        mean = vectors[ids].astype(np.float32).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    return embed


def answer(messages: Sequence[Mapping[str, str]], embed: Embed) -> str:
    """Return the reply to a request, in the form that it asks for."""
    system = messages[0]["content"]
    fields = _DSPY_OUTPUTS.search(system)
    outputs = re.findall(r"\d+\. `(\w+)`", fields[1]) if fields else []
    labels, query = _labels(system), _query(messages[-1]["content"])
    text = ADVICE
    if labels and query is not None and len(outputs) <= 1:
        text = _nearest(labels, query, _demos(messages[1:-1]), embed)
    if not outputs:
        return text
    parts = [*(f"[[ ## {name} ## ]]\n{text}" for name in outputs), "[[ ## completed ## ]]"]
    return "\n\n".join(parts)


def _nearest(
    labels: Sequence[str], query: str, demos: Sequence[tuple[str, str]], embed: Embed
) -> str:
    asked = embed(query)
    near = {label: float(asked @ embed(label.replace("_", " "))) for label in labels}
    for text, label in demos:
        if label in near:
            near[label] = max(near[label], float(asked @ embed(text)))
    return max(near, key=lambda label: near[label])


def _labels(system: str) -> list[str]:
    if found := _LABELS.search(system):
        return [line.removeprefix("- ").strip() for line in found[1].strip().splitlines()]
    found = _DSPY_LABELS.search(system)
    return [label.strip() for label in found[1].split(";")] if found else []


def _query(text: str) -> str | None:
    found = _QUERY.search(text) or _DSPY_QUERY.search(text)
    return found[1].strip() if found else None


def _demos(turns: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    demos = []
    for asked, told in zip(turns[::2], turns[1::2], strict=False):
        query, found = _query(asked["content"]), _DSPY_ANSWER.search(told["content"])
        if query is not None:
            demos.append((query, (found[1] if found else told["content"]).strip()))
    return demos


def completion(body: Mapping[str, Any], embed: Embed) -> dict[str, Any]:
    """Return the completion; a token is four characters."""
    text = answer(body["messages"], embed)
    prompt = sum(len(message["content"]) for message in body["messages"]) // 4
    written = len(text) // 4 + 1
    return {
        "id": "encoder",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        },
    }


def main(port: str) -> None:
    """Serve until the process ends; print the base URL first."""
    embed = loaded()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Write nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            data = json.dumps(completion(body, embed)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
