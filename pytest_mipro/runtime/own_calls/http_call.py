"""An HTTP call of a pipeline's own client as a `Request`, its answer as the text of a `Reply`."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_mipro.runtime.client.contract import LMClient, Request

_KEPT_HEADERS = ("content-type", "content-encoding")
_BASE64 = "base64"
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_LIBRARIES = {
    "br": ("brotli", "brotlicffi"),
    "zstd": ("compression.zstd", "backports.zstd", "zstandard"),
}


@dataclass(frozen=True)
class HTTPCall:
    """An HTTP call, its headers with lower-case names."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any] | None:
        """Return the body's JSON object, None where it is none."""
        return json_object(self.body)

    def text(self) -> str:
        """Return the body as text; of one that is none, the digest that identifies it."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            return f"[SHA-256 {hashlib.sha256(self.body).hexdigest()}]"


@dataclass(frozen=True)
class HTTPAnswer:
    """A whole answer; of a stream, all of its bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def coding(self) -> str:
        """The compression of the body, "" for none."""
        coding = self.headers.get("content-encoding", "").strip().lower()
        return "" if coding == "identity" else coding

    def uncompressed(self) -> HTTPAnswer:
        """Return the answer without the compression that an endpoint chose unasked, if known."""
        try:
            body = _decompressed(self.body, self.coding)
        except Exception:  # noqa: BLE001 - each library has errors of its own
            return self
        headers = {n: text for n, text in self.headers.items() if n != "content-encoding"}
        return replace(self, headers=headers, body=body)


def _decompressed(body: bytes, coding: str) -> bytes:
    """Return a body without its compression; raises where none of the libraries is installed.

    They are those that httpx and aiohttp take.
    """
    if coding in _WINDOWS:
        return zlib.decompress(body, _WINDOWS[coding])
    for name in _LIBRARIES.get(coding, ()):
        with suppress(ImportError):
            library = importlib.import_module(name)
            if name == "zstandard":  # its other function wants the size in the frame
                return bytes(library.ZstdDecompressor().decompressobj().decompress(body))
            return bytes(library.decompress(body))
    raise ValueError(coding)


Send = Callable[[], Awaitable[HTTPAnswer]]


@dataclass(frozen=True)
class OwnRequest(Request):
    """A call of the pipeline's own client.

    What identifies it is `method`, `target` (path and query without credentials), `body` (a JSON
    value, else a text) and, in the cache, `address` (a digest of `origin`). `messages` and
    `parameters` are read from the body, for estimates and explanations. `size` is that of the body
    in bytes. `send` makes the call with the pipeline's own client; `urgent` tells that the caller
    keeps a running loop from going on, and with it calls that the loop has to make; `again` that
    the client tries once more what was tried for it already.
    """

    method: str = "POST"
    target: str = ""
    address: str = ""
    body: Any = None
    size: int = 0
    origin: str = field(default="", repr=False, compare=False)
    send: Send | None = field(default=None, repr=False, compare=False)
    urgent: bool = field(default=False, compare=False)
    again: bool = field(default=False, compare=False)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of a body that is a JSON object, none of another one."""
        return self.body if isinstance(self.body, dict) else {}

    def canonical_json(self) -> str:
        """Return what identifies the call as JSON text, sorted by key."""
        data = {
            "method": self.method,
            "target": self.target,
            "body": self.body,
            "sample": self.sample,
        }
        return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def endpoint_at(self, client: LMClient) -> str:  # noqa: ARG002 - the base's signature
        """Return the digest of its own address."""
        return self.address

    def prompt_bytes(self) -> int:
        """Return the bytes of the body, which bound its tokens, but for images and files in it."""
        attached = [part for message in self.messages for part in message.attached]
        return self.size + sum(part.tokens() - len(part.url) for part in attached)


def json_object(text: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object in a text, None where there is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, none of another value."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text_of_answer(answer: HTTPAnswer) -> str:
    """Return an answer as the text of a reply: a head with its media type, an empty line, the body.

    Nothing else of the headers is kept. A body that is no text is kept in base64.
    """
    head = [f"{name}: {answer.headers[name]}" for name in _KEPT_HEADERS if name in answer.headers]
    try:
        body = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        head.append(f"content-transfer-encoding: {_BASE64}")
        body = base64.b64encode(answer.body).decode()
    return "\n".join([*head, "", body])


def answer_of_text(text: str) -> HTTPAnswer:
    """Return the answer that `text_of_answer` made the text from."""
    head, _, body = text.partition("\n\n")
    if text.startswith("\n"):  # it had no media type
        head, body = "", text[1:]
    headers = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    encoded = headers.pop("content-transfer-encoding", "") == _BASE64
    data = base64.b64decode(body) if encoded else body.encode("utf-8", "surrogatepass")
    return HTTPAnswer(200, headers, data)
