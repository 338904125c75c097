"""Tell which values are credentials, and find them in texts however they are spelt.

A value counts only if it can be a secret: eight characters or more, not made of up to three words
(`postgres`, `created_at`, `local-dev-key`), no number or date (`2024-02-01`), and not part of what
the repo shows to every reader.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import filterfalse
from urllib.parse import parse_qsl, quote, quote_plus, unquote

_SHORTEST = 8
_SHORTEST_ENCODED = 12  # characters of base64: shorter ones stand in texts by chance
# What is enough of a secret: half of it, but never less than this.
_SHORTEST_HALF, _SHORTEST_HALF_ENCODED = 8, 16
_MOST_WORDS, _LONGEST_WORD = 3, 15
_SHORTEST_NUMBER = 16  # characters without a letter: shorter ones are dates, amounts, ids
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_UNSPEAKABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}", re.IGNORECASE)

_SECRET_NAME = re.compile(
    r"(?:(?:^|_)(?:(?:API)?(?:KEY|TOKEN|SECRET)|PASS)|PASSWORD|PASSWD|PASSPHRASE)$", re.IGNORECASE
)
# What is named so may be a file, a name or a number as well: its value has to look like a key.
_NO_KEY = (
    "FILE|PATH|DIR|NAME|URL|MODEL|DEPLOYMENT|PREFIX|SUFFIX|ID|REGION|VERSION|VAULT|TYPE|LIMIT|SCOPE|"
    "FINGERPRINT|SIZE|COUNT|TTL|HASH"
)
_LIKELY_NAME = re.compile(
    rf"(?:^|_)(?:CREDENTIALS?|(?:API)?(?:KEY|TOKEN|SECRET)_(?!(?:{_NO_KEY})$)[A-Z\d]+)$",
    re.IGNORECASE,
)
_LIKE_A_KEY = re.compile(
    r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])(?=.*[A-Za-z\d+_]{16})(?!/|.*\.\w{1,5}\Z)[\w+/=.-]{16,}",
    re.ASCII,
)
_WEB = re.compile(r"(?:https?|wss?)", re.IGNORECASE)
_SECRET_PART = re.compile(r"key|token|secret|sig|pass|pwd|auth|cred|code", re.IGNORECASE)
# Beside a mask, as in `sk-ab****yz`, this much of the beginning and of the end is a secret's.
_SHORTEST_END = 3
_MASK = re.compile(r"\*{2,}|•{2,}|…|\.{3,}|[xX]{4,}")

Span = tuple[int, int]


def can_be_secret(value: str) -> bool:
    """Return whether a value can be a secret, and does not stand in texts by chance."""
    by_chance = 0 < _count_words(value) <= _MOST_WORDS or _is_number(value)
    return len(value) >= _SHORTEST and not by_chance


def _is_number(text: str) -> bool:
    return len(text) < _SHORTEST_NUMBER and re.fullmatch(r"[0-9\s.,:/_+-]+", text) is not None


def _count_words(text: str) -> int:
    """Return of how many words the text consists, 0 if it holds anything else."""
    words = []
    for part in re.split(r"[\s_.:-]+", text):
        found = _WORD.findall(part)
        if "".join(found) != part:
            return 0
        words += found
    if any(len(word) > _LONGEST_WORD or _UNSPEAKABLE.search(word) for word in words):
        return 0
    return len(words)


def url_secrets(url: str | None) -> Iterator[str]:
    """Yield the password of a URL, or the user name without one, and the query's secrets."""
    scheme, _, rest = (url or "").partition("://")
    user_infos = _user_infos(scheme, rest)
    for user_info in user_infos:
        yield from (unquote(user_info), unquote(user_info.partition(":")[2]))
    for text in dict.fromkeys((rest, *map(rest.removeprefix, user_infos))):
        query = text.partition("#")[0].partition("?")[2]
        yield from (value for name, value in parse_qsl(query) if _SECRET_PART.search(name))


def _user_infos(scheme: str, rest: str) -> list[str]:
    """Return what can be meant to stand before the @ of an address.

    A database's password may hold `/`, `?` and `#` as they are: SQLAlchemy and the drivers take
    them. So it may end at each @, which may also stand behind it, in a query.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    found = [authority.rpartition("@")[0]]
    if ":" in authority and not _WEB.fullmatch(scheme):
        found += [rest[: at.start()] for at in re.finditer("@", rest)]
    return [each for each in dict.fromkeys(found) if each and (":" in each or each == found[0])]


_public_texts: Callable[[], Iterable[str]] = tuple


@contextmanager
def public_texts(texts: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Take no value for a credential that stands in these texts, in this process, in the block."""
    global _public_texts  # noqa: PLW0603 - as settings: a pipeline's threads must see it too
    before, _public_texts = _public_texts, texts
    try:
        yield
    finally:
        _public_texts = before


def credentials(given: Iterable[str] = ()) -> frozenset[str]:
    """Return the credentials: what can be a secret of `given` and of the environment.

    Those are the values of variables named `…KEY`, `…TOKEN`, `…SECRET`, `…PASSWORD`, `…PASSWD`,
    `…PASSPHRASE` or `…_PASS`; of `…_CREDENTIALS` and `…KEY_EASTUS` and the like, where they look
    like a key; and what `url_secrets` finds in addresses (`…_URL`, `…_BASE`).
    """
    return _secret_ones(frozenset((*given, *_environment_values())), _public_texts)


def variable_of(credential: str) -> str:
    """Return the name of the environment variable that holds a credential, "" where none does."""
    return next((name for name, value in os.environ.items() if credential in value), "")


def _environment_values() -> Iterator[str]:
    # Read at each call: a test may load a key while it runs.
    for name in os.environ:
        kind = _kind_of(name)
        if kind == "secret":
            yield os.environ[name].strip()
        elif kind == "likely" and _LIKE_A_KEY.fullmatch(value := os.environ[name].strip()):
            yield value
        elif kind == "address" and "://" in (value := os.environ[name]):
            yield from url_secrets(value)


@lru_cache(maxsize=4096)
def _kind_of(name: str) -> str:
    if _SECRET_NAME.search(name):
        return "secret"
    if _LIKELY_NAME.search(name):
        return "likely"
    return "address" if name.upper().endswith(("_BASE", "_URL")) else ""


@lru_cache(maxsize=64)
def _secret_ones(values: frozenset[str], public: Callable[[], Iterable[str]]) -> frozenset[str]:
    left = {value for value in values if can_be_secret(value)}
    for text in public() if left else ():
        left -= {value for value in left if value in text}
    return frozenset(left)


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
    begin = next(filterfalse(_is_common, begins), form[: lengths.stop])
    end = next(filterfalse(_is_common, ends), form[-lengths.stop :])
    return _folded(form), _folded(begin), _folded(end)


def _is_common(text: str) -> bool:
    return _count_words(text) > 0 or _is_number(text)


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
            if end - mask.end() >= least or mask.start() - start >= _SHORTEST:
                yield start, end
        start = text.find(value[:least], start + 1)
