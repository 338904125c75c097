"""A reply as a row of the cache, and back; a row that may be another reply counts as none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pytest_mipro.runtime.client.contract import Reply, Usage
from pytest_mipro.runtime.text.redaction import HIDDEN
from pytest_mipro.runtime.text.strict_json import (
    COST,
    COUNT,
    NUMBER,
    OBJECT,
    TEXT,
    field_problem,
)

_REPLY_RULES = {
    **dict.fromkeys(("text", "finish_reason", "model"), TEXT),
    **dict.fromkeys(("latency", "asked"), NUMBER),
    "cost": COST,
    "cached": (lambda value: value is False, "false"),
    "usage": OBJECT,
}
_USAGE_RULES = {"prompt_tokens": COUNT, "completion_tokens": COUNT}


def row_of(key: str, canonical_json: str, reply: Reply) -> dict[str, Any]:
    """Return the row under `key`, as JSON data, of a reply to the request of this JSON text.

    The request is in it as part of the checksum alone: a pipeline may put secrets into it.
    """
    data = asdict(replace(reply, cached=False))
    return {"reply": data, "check": _check(key, canonical_json, data)}


def reply_of(row: object, key: str, canonical_json: str) -> Reply | None:
    """Return the reply of the row found under `key`, with `cached=True`.

    None if the row holds another request, was written under another key (of another endpoint, say),
    is damaged, or is of another version or forged; and if its release, which wrote the request too,
    hid parts of replies and did so here.
    """
    data = row.get("reply") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(data, dict):
        return None
    if row.get("check") != _check(key, canonical_json, data):
        return None
    if "request" in row and HIDDEN in str(data.get("text")):
        return None
    if field_problem(data, _REPLY_RULES) or field_problem(data["usage"], _USAGE_RULES):
        return None
    return Reply(**{**data, "usage": Usage(**data["usage"]), "cached": True})


def as_json_has_it(text: str) -> str:
    """Return the text as the cache returns it later.

    JSON can't tell two halves of a surrogate pair from the character: the first use of a reply must
    see the same text as later ones.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _check(key: str, canonical_json: str, data: Mapping[str, Any]) -> str:
    # A damaged page of the database may still parse: the checksum exposes it.
    text = f"{key}\n{canonical_json}\n{json.dumps(data, sort_keys=True)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
