"""Images and files as inputs: found by annotation, taken as they are or from a data URL."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pytest_mipro.errors import AttachmentError
from pytest_mipro.runtime.client.attachments import AttachedText, Attachment, File, Image

_LISTS = ("list", "tuple", "Sequence")


def attached_kind(annotation: Any) -> type[Attachment] | None:
    """Return `Image` or `File` where an annotation holds one, None elsewhere.

    Raises AttachmentError where it holds more than one, a list of them, or None.
    """
    held = list(_held(annotation))
    kinds = {kind for kind in held if kind in (Image, File)}
    if not kinds:
        return None
    if len(kinds) > 1 or set(held) - kinds - {type(None), ...}:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise AttachmentError(
            f"{names} can't be part of another value: a model is sent it by itself; annotate "
            "`Image`, `File`, or a list of one of them"
        )
    return Image if Image in kinds else File


def _held(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _held(typing.get_args(annotation)[0])
    elif origin is None or origin is typing.Literal:
        yield annotation
    else:
        if origin not in (typing.Union, types.UnionType) and origin.__name__ not in _LISTS:
            yield origin
        for inner in typing.get_args(annotation):
            yield from _held(inner)


def attached_value(value: Any, kind: type[Attachment]) -> Any:
    """Return the JSON value of an image or file, a list of them, or None; raises AttachmentError.

    The texts in it are `AttachedText`: they carry what is sent.
    """
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [_text(item, kind) for item in value]
    return _text(value, kind)


def _text(value: Any, kind: type[Attachment]) -> AttachedText:
    if isinstance(value, str):
        value = kind(value)
    if not isinstance(value, kind):
        name = kind.__name__
        raise AttachmentError(
            f"expected {name}, as from {name}.from_path(…) or {name}.from_bytes(…), or its URL as "
            f"text, not {type(value).__name__}"
        )
    return AttachedText(value)
