"""The texts of a page: each once, without credentials, and as much of each as there is room for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_LEAST = 80  # characters of a text that are worth showing


@dataclass
class Texts:
    """Collects texts; the page's data refer to one by its number."""

    redact: Callable[[str], str]
    _places: dict[str, int] = field(default_factory=dict)

    def add(self, text: str) -> int:
        """Return the number of the text, without credentials."""
        kept = self.redact(text).encode("utf-8", "backslashreplace").decode()
        return self._places.setdefault(kept, len(self._places))

    def within(self, room: int) -> list[str] | None:
        """Return all texts in at most `room` bytes of JSON, the longest cut; None: it is too few.

        All that are cut are cut to the same length, which is the greatest possible.
        """
        texts = list(self._places)
        sizes = [json_size(text) for text in texts]
        limit = _limit(sizes, room)
        if limit is None:
            return None
        pairs = zip(texts, sizes, strict=True)
        return [text if size <= limit else _cut(text, limit / size) for text, size in pairs]


def json_size(value: object) -> int:
    """Return the bytes that the value takes in the page, with the comma after it."""
    return len(page_json(value).encode()) + 1


def page_json(value: object) -> str:
    """Return the value as JSON that ends no element of a page, whatever is in it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _limit(sizes: Sequence[int], room: int) -> int | None:
    """Return the greatest size that, as the limit of each, keeps the sum in the room."""
    left, shorter = room, sorted(sizes)
    for place, size in enumerate(shorter):
        share = left // (len(shorter) - place)
        if size > share:
            return share if share >= _LEAST else None
        left -= size
    return max(sizes, default=_LEAST)


def _cut(text: str, share: float) -> str:
    kept = max(0, int(len(text) * share) - _LEAST // 2)
    return f"{text[:kept]} … ({len(text) - kept:,} more characters)"
