"""Find credentials in texts, however they are spelt: encoded, halved or masked."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import filterfalse
from urllib.parse import quote, quote_plus

from pytest_mipro.runtime.text.credentials import SHORTEST, credentials, is_common

_SHORTEST_ENCODED = 12  # characters of base64: shorter ones stand in texts by chance
# What is enough of a secret: half of it, but never less than this.
_SHORTEST_HALF, _SHORTEST_HALF_ENCODED = 8, 16
# Beside a mask, as in `sk-ab****yz`, this much of the beginning and of the end is a secret's.
_SHORTEST_END = 3
_MASK = re.compile(r"\*{2,}|•{2,}|…|\.{3,}|[xX]{4,}")

Span = tuple[int, int]


def echoed_credential(
    texts: Iterable[str], given: Iterable[str] = (), public: Iterable[str] = ()
) -> str:
    """Return a credential that stands in one of the texts, whole or half, in whatever spelling.

    Empty where there is none. A credential that stands in `public`, say in the request that the
    texts reply to, is none of the endpoint's.
    """
    searched, shown = [_folded(text) for text in texts], [_folded(text) for text in public]
    for value in sorted(credentials(given)):
        places = (
            place
            for text in searched
            for spelling in _spellings(value)
            for place in _places(text, *spelling)
        )
        if any(places) and not any(_folded(value) in text for text in shown):
            return value
    return ""


def credential_spans(text: str, values: Iterable[str]) -> list[Span]:
    """Return where values stand in a text, whole, halved or masked, in whatever spelling.

    The time is linear in the text. The spans are in order and don't overlap.
    """
    folded = _folded(text)
    found: list[Span] = []
    for value in values:
        for spelling in _spellings(value):
            found += _places(folded, *spelling)
        found += _masked(folded, _folded(value))
    spans: list[Span] = []
    for start, end in sorted(found):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _folded(text: str) -> str:
    """Return the text in lower case, each character at its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(one if len(one := character.lower()) == 1 else character for character in text)


@lru_cache(maxsize=256)
def _spellings(value: str) -> tuple[tuple[str, str, str], ...]:
    """Return the spellings of a value, each with the beginning and the end that give it away."""
    found: dict[str, tuple[str, str, str]] = {}
    for plain in (value, " ".join(value.split()), value[::-1]):
        found[_folded(plain)] = _with_ends(plain, _SHORTEST_HALF)
    for form in _encoded(value):
        found.setdefault(_folded(form), _with_ends(form, _SHORTEST_HALF_ENCODED))
    return tuple(found.values())


def _with_ends(form: str, least: int) -> tuple[str, str, str]:
    half = max(least, len(form) // 2)
    # half of a phrase, a number or a date may stand in a text by chance
    lengths = range(half, max(half, _SHORTEST_HALF_ENCODED))
    begins, ends = (form[:n] for n in lengths), (form[-n:] for n in lengths)
    begin = next(filterfalse(is_common, begins), form[: lengths.stop])
    end = next(filterfalse(is_common, ends), form[-lengths.stop :])
    return _folded(form), _folded(begin), _folded(end)


def _encoded(value: str) -> Iterator[str]:
    """Yield what an endpoint may make of a value by escapes and encodings."""
    data = value.encode("utf-8", "surrogatepass")
    yield data.hex()
    yield "".join(f"%{byte:02x}" for byte in data)
    yield "".join(f"\\x{byte:02x}" for byte in data)
    for form in ("\\u{:04x}", "&#{};", "&#x{:x};"):
        yield "".join(form.format(ord(character)) for character in value)
    text = data.decode("utf-8", "replace")
    yield from (quote(text, safe=""), quote(text), quote_plus(text))
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped)[1:-1]  # an error's JSON inside of another's
    yield repr(value)[1:-1]
    yield value.encode("unicode_escape").decode()
    yield html.escape(value)
    for once in _base64(data):
        yield once
        yield from _base64(once.encode())
    whole = base64.b64encode(data)
    yield whole.decode()
    yield from _base64(whole)


def _base64(data: bytes) -> Iterator[str]:
    """Yield the base64 characters that depend on the data alone, whatever surrounds it."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        own = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(own) >= _SHORTEST_ENCODED:
            yield own
            yield own.replace("+", "-").replace("/", "_")


def _places(text: str, form: str, begin: str, end: str) -> Iterator[Span]:
    """Yield where a form stands, or its beginning or its end and what more of it stands there."""
    start = text.find(begin)
    while start >= 0:
        length = len(begin)
        length += _common(text, start + length, form, length, 1)
        yield start, start + length
        start = text.find(begin, start + 1)
    start = text.find(end) if end != form else -1
    while start >= 0:
        more = _common(text, start - 1, form, len(form) - len(end) - 1, -1)
        yield start - more, start + len(end)
        start = text.find(end, start + 1)


def _common(text: str, at: int, form: str, place: int, step: int) -> int:
    """Return how many characters of text and form are the same, from two places on."""
    count = 0
    while 0 <= place < len(form) and 0 <= at < len(text) and text[at] == form[place]:
        count, at, place = count + 1, at + step, place + step
    return count


def _masked(text: str, value: str) -> Iterator[Span]:
    """Yield where a value stands masked: `sk-ab****yz`."""
    least = _SHORTEST_END
    start = text.find(value[:least])
    while start >= 0:
        begins = least + _common(text, start + least, value, least, 1)
        masks = (_MASK.match(text, start + n) for n in range(begins, least - 1, -1))
        if mask := next(filter(None, masks), None):
            ends = (n for n in range(len(value), 0, -1) if text.startswith(value[-n:], mask.end()))
            end = mask.end() + next(ends, 0)
            if end - mask.end() >= least or mask.start() - start >= SHORTEST:
                yield start, end
        start = text.find(value[:least], start + 1)
