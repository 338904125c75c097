"""Images and files in messages: sent as OpenAI's content parts, shown as a short text elsewhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import PydanticUserError

from pytest_mipro.errors import AttachmentError
from pytest_mipro.runtime.text.files import read_bytes

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
}
_MOST_TOKENS = 50_000
"""More than the tokens that any model counts for one image."""


@dataclass(frozen=True, repr=False)
class _Attachment:
    """What a message carries beside its text, by a URL."""

    url: str
    kind: ClassVar[str]

    @classmethod
    def from_path(cls, path: str | Path) -> Self:
        """Return what a file holds; raises AttachmentError where it can't."""
        path = Path(path)
        try:
            data = read_bytes(path)
        except (OSError, ValueError) as error:  # the latter for a name that no file can have
            reason = getattr(error, "strerror", None) or error
            raise AttachmentError(f"{path}: can't be read ({reason})") from None
        return cls._of(data, _type_of(path.name), path.name)

    @classmethod
    def from_bytes(cls, data: bytes, mime_type: str | None = None) -> Self:
        """Return what the bytes are; raises AttachmentError where their type is unknown."""
        return cls._of(data, mime_type, "")

    @classmethod
    def placeholder(cls, text: str) -> Self:
        """Return what has `text` in the place of its URL."""
        made = cls.__new__(cls)
        object.__setattr__(made, "url", text)
        return made

    @classmethod
    def _of(cls, data: bytes, mime_type: str | None, name: str) -> Self:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise AttachmentError(f"{cls.kind}: expected bytes, not {type(data).__name__}")
        data = bytes(data)
        found = mime_type or next((_MAGIC[lead] for lead in _MAGIC if data.startswith(lead)), None)
        if found is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            found = "image/webp"
        if found is None:
            raise AttachmentError(
                f"{name or 'the bytes'}: unknown MIME type; give it by "
                f"{cls.__name__}.from_bytes(data, mime_type)"
            )
        return cls._made(f"data:{found};base64,{base64.b64encode(data).decode()}", name)

    @classmethod
    def _made(cls, url: str, name: str) -> Self:
        raise NotImplementedError

    @property
    def mime_type(self) -> str:
        """The MIME type of a data URL, "" for another one."""
        match = _DATA_URL.match(self.url) if isinstance(self.url, str) else None
        return match[1].lower() if match else ""

    def content(self) -> bytes:
        """Return the bytes of a data URL, none for another one."""
        match = _DATA_URL.match(self.url)
        return base64.b64decode(self.url[match.end() :], validate=True) if match else b""

    @property
    def needs(self) -> str:
        """What litellm calls it that a model takes this; "" where it has no name for it."""
        return ""

    def tokens(self) -> int:
        """Return a bound of the tokens that it is counted as."""
        return _MOST_TOKENS

    @cached_property
    def digest(self) -> str:
        """64 hex digits of the SHA-256 of the URL, with all that it holds."""
        return hashlib.sha256(self.url.encode()).hexdigest()

    @cached_property
    def short(self) -> str:
        """The text that stands for it where one reads: what it is, its size, a digest."""
        if not self.mime_type:
            if "://" not in self.url:
                return self.url
            parts = urlsplit(self.url)  # what follows the path may be a credential
            return f"[{self.kind} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}]"
        size = len(self.content())
        shown = f"{size / 1000:.1f} kB" if size >= 1000 else f"{size} B"
        return f"[{self._called()}, {shown}, {self.digest[:12]}]"

    def _called(self) -> str:
        return self.mime_type

    def key(self) -> dict[str, str]:
        """Return what stands for it in a request's cache key."""
        return {self.kind: self.digest}

    def part(self) -> dict[str, Any]:
        """Return the content part of OpenAI's chat API."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.short

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        raise PydanticUserError(
            f"{cls.__name__} is an input of its own, or one of a list; no field or output has it",
            code=None,
        )


@dataclass(frozen=True, repr=False)
class Image(_Attachment):
    """An image, for an input annotated `Image` or `list[Image]`.

    `url` is a data URL, or one of http or https, which the provider fetches. Raises
    AttachmentError for anything else.
    """

    kind = "image"

    def __post_init__(self) -> None:
        if not self.mime_type.startswith("image/") and not _is_remote(self.url):
            raise AttachmentError(
                f"an image is a data URL of type image/…, or a URL of http or https, not "
                f"{self.url!r:.60}; read a file by Image.from_path(…)"
            )
        _check_base64(self)

    @classmethod
    def _made(cls, url: str, name: str) -> Self:  # noqa: ARG003 - the API takes no name
        return cls(url)

    @property
    def needs(self) -> str:
        """What litellm calls it that a model takes images."""
        return "supports_vision"

    def part(self) -> dict[str, Any]:
        """Return the content part of OpenAI's chat API."""
        return {"type": "image_url", "image_url": {"url": self.url}}


@dataclass(frozen=True, repr=False)
class File(_Attachment):
    """A file such as a PDF, for an input annotated `File` or `list[File]`.

    `url` is a data URL; `filename` is sent along. Raises AttachmentError for another URL.
    """

    filename: str = ""
    kind = "file"

    def __post_init__(self) -> None:
        if not self.mime_type:
            raise AttachmentError(
                f"a file is a data URL, not {self.url!r:.60}; read one by File.from_path(…)"
            )
        _check_base64(self)

    @classmethod
    def from_bytes(cls, data: bytes, mime_type: str | None = None, filename: str = "") -> Self:
        """Return what the bytes are; raises AttachmentError where their type is unknown."""
        return cls._of(data, mime_type, filename)

    @classmethod
    def _made(cls, url: str, name: str) -> Self:
        return cls(url, name)

    @property
    def needs(self) -> str:
        """What litellm calls it that a model takes PDFs; it has no name for other files."""
        return "supports_pdf_input" if self.mime_type == "application/pdf" else ""

    def tokens(self) -> int:
        """Return a bound of the tokens: those of its text, or of its pages as images."""
        return max(len(self.url), _MOST_TOKENS)

    def _called(self) -> str:
        return self.filename or self.mime_type

    def key(self) -> dict[str, str]:
        """Return what stands for it in a request's cache key."""
        return {**super().key(), "filename": self.filename}

    def part(self) -> dict[str, Any]:
        """Return the content part of OpenAI's chat API."""
        named = {"filename": self.filename} if self.filename else {}
        return {"type": "file", "file": {**named, "file_data": self.url}}


def _type_of(name: str) -> str | None:
    """Return the MIME type that a file's name tells, by Python's own table before the machine's.

    It is a part of what is sent, and so of the request's key, which all machines have to agree on.
    """
    return mimetypes.MimeTypes().guess_type(name)[0] or mimetypes.guess_type(name)[0]


def _is_remote(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)


def _check_base64(attachment: _Attachment) -> None:
    try:
        attachment.content()
    except binascii.Error as error:
        raise AttachmentError(f"the {attachment.kind}'s data URL is no base64 ({error})") from None


Attachment = Image | File


class AttachedText(str):
    """The short text of an image or file, an input's JSON value; `held` is what is sent."""

    held: Attachment

    def __new__(cls, held: Attachment) -> Self:
        """Return the text of an attachment."""
        text = super().__new__(cls, held.short)
        text.held = held
        return text

    def __getnewargs__(self) -> tuple[Attachment]:  # type: ignore[override] # of a copy
        return (self.held,)


def read_parts(content: list[Any]) -> tuple[str | Attachment, ...] | None:
    """Return the texts, images and files of a list of content parts, None for what is none."""
    parts = tuple(map(_part, content))
    return None if None in parts else parts  # type: ignore[return-value] # checked here


def _part(part: Any) -> str | Attachment | None:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        part = part["text"]
    if isinstance(part, str) or not isinstance(part, dict):
        return part if isinstance(part, str) else None
    image, file = part.get("image_url"), part.get("file")
    try:
        if isinstance(file, dict):
            return File(file["file_data"], file.get("filename") or "")
        return Image(image["url"] if isinstance(image, dict) else image or "")
    except (KeyError, TypeError, ValueError):
        return None
