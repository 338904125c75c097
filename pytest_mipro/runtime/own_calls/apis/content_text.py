"""Tell the content of a message as text, in OpenAI's, Anthropic's and Gemini's APIs and kin."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

_LONG = 400
_BASE64 = re.compile(r"(?:data:[^,]*,)?[A-Za-z0-9+/=_-]+\Z")
_TEXTS = ("text", "refusal")


def content_text(content: Any) -> str:
    """Return a content as text, its parts one a line; what is no text as JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(content_text(part) for part in content)
    if isinstance(content, dict):
        if isinstance(content.get("parts"), list):
            return content_text(content["parts"])
        for name in _TEXTS:
            if isinstance(content.get(name), str):
                return str(content[name])
    return json_text(content)


def json_text(value: Any) -> str:
    """Return a value as JSON, sorted by key."""
    return json.dumps(_shortened(value), ensure_ascii=False, sort_keys=True)


def _shortened(value: Any) -> Any:
    """Return the value with what images and files are encoded in replaced by its size."""
    if isinstance(value, str) and len(value) > _LONG and _BASE64.match(value):
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"[{3 * len(value) / 4000:.1f} kB, {digest[:12]}]"
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value
