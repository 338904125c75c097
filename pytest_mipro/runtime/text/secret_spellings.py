"""Find secrets in a text however they are spelt: escaped, encoded, masked or cut short."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

_SHORTEST_ENCODED = 12  # characters of base64: shorter ones stand in texts by chance
_SHORTEST_BEGINNING = 8
_SHORTEST_END = 3  # beside a mask, which says that it is a secret
_MASK = re.compile(r"\*{2,}|•{2,}|…|\.{3,}|[xX]{4,}")
_BEFORE, _BEHIND = re.compile(r"[\w+/~-]*\Z"), re.compile(r"[\w+/~-]*")


@lru_cache(maxsize=64)
def spellings(secrets: frozenset[str], shortest: int) -> tuple[str, ...]:
    """Return the spellings of secrets with at least `shortest` characters, the longest first.

    They are the value itself, percent-encoded, escaped as in JSON, Python or HTML, and in base64 at
    each of the three offsets where the value may begin.
    """
    values = {value for value in secrets if len(value) >= shortest}
    found = {spelling for value in values for spelling in _spelt(value)}
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def _spelt(value: str) -> Iterator[str]:
    yield value
    if not value.isprintable():
        yield value.encode("unicode_escape").decode()
        return
    for escaped in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield escaped
        yield re.sub("%..", lambda found: found[0].lower(), escaped)
    for text in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield text
        yield text.replace("/", "\\/")
        yield json.dumps(text)[1:-1]  # an error's JSON inside of another's
    yield repr(value)[1:-1]
    yield value.encode("unicode_escape").decode()
    yield html.escape(value)
    yield from _encoded(value.encode("utf-8", "surrogatepass"))


def _encoded(data: bytes) -> Iterator[str]:
    """Yield the base64 characters that depend on the data alone, whatever surrounds it."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        own = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(own) >= _SHORTEST_ENCODED:
            yield own
            yield own.replace("+", "-").replace("/", "_")


def hide_parts(text: str, secrets: Iterable[str], hidden: str) -> str:
    """Return the text without masked and cut secrets: `sk-ab****yz`, or the first half of one.

    Next to a mask, three characters of the secret's beginning or end are enough; without a mask it
    takes its first eight characters and at least half of it.
    """
    values = [value for value in secrets if len(value) >= _SHORTEST_BEGINNING]

    for mask in reversed(list(_MASK.finditer(text))) if values else ():
        begins = _BEFORE.search(text, 0, mask.start())
        ends = _BEHIND.match(text, mask.end())
        if begins and ends and _shows(begins[0], ends[0], values):
            text = text[: begins.start()] + hidden + text[ends.end() :]
    for value in values:
        text = _without_beginning(text, value, hidden)
    return text


def _shows(begins: str, ends: str, values: Iterable[str]) -> bool:
    return any(
        (len(begins) >= _SHORTEST_END and value.startswith(begins))
        or (len(ends) >= _SHORTEST_END and value.endswith(ends))
        for value in values
    )


def _without_beginning(text: str, value: str, hidden: str) -> str:
    least = max(_SHORTEST_BEGINNING, len(value) // 2)
    start = text.find(value[:least])
    while start >= 0:
        end = start + least
        while end < len(text) and end - start < len(value) and text[end] == value[end - start]:
            end += 1
        text = text[:start] + hidden + text[end:]
        start = text.find(value[:least], start + len(hidden))
    return text
