"""A reply as a row of the cache, and back: what is not certainly the reply asked for is none."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from pytest_mipro.runtime.client.contract import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS = ("text", "finish_reason", "model")


def row_of(key: str, canonical: str, reply: Reply) -> dict[str, Any]:
    """Return the row under `key` of a reply to the request of this canonical text, as JSON data."""
    data = asdict(replace(reply, cached=False))
    return {"request": canonical, "reply": data, "check": _check(key, canonical, data)}


def reply_of(row: object, key: str, canonical: str) -> Reply | None:
    """Return the reply of the row found under `key`, `cached` being True.

    None where the row holds another request, was written under another key (of another endpoint,
    say), is damaged, or is of another version or forged type.
    """
    if not isinstance(row, dict) or row.get("request") != canonical:
        return None
    data = row.get("reply")
    if not isinstance(data, dict) or row.get("check") != _check(key, canonical, data):
        return None
    if data.keys() != _FIELDS or not _well_typed(data):
        return None
    usage = data["usage"]
    if (
        not isinstance(usage, dict)
        or usage.keys() != _USAGE
        or not all(map(_count, usage.values()))
    ):
        return None
    return Reply(**{**data, "usage": Usage(**usage), "cached": True})


def as_json_has_it(text: str) -> str:
    """Return the text as the cache will give it back.

    JSON can't tell two halves of a surrogate pair from the character: the first use of a reply
    must see what the later ones will.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


_FIELDS = {field.name for field in fields(Reply)}
_USAGE = {field.name for field in fields(Usage)}


def _well_typed(data: Mapping[str, Any]) -> bool:
    usage = data.get("usage")
    if data.keys() != _FIELDS or not isinstance(usage, dict) or usage.keys() != _USAGE:
        return False
    numbers = [data["latency"], data["asked"]]
    if data["cost"] is not None:
        numbers.append(data["cost"])
    texts = (data[name] for name in _TEXTS)
    return (
        all(isinstance(text, str) for text in texts)
        and all(map(_number, numbers))
        and all(map(_count, usage.values()))
    )


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < math.inf


def _count(value: object) -> bool:
    return isinstance(value, int) and _number(value)


def _check(key: str, canonical: str, data: Mapping[str, Any]) -> str:
    # A damaged page of the database may still parse: the sum tells it from a reply.
    text = f"{key}\n{canonical}\n{json.dumps(data, sort_keys=True)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
