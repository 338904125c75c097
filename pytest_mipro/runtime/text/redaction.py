"""Remove credentials from texts however they are spelt; shorten texts from outside to one line."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "[hidden]"
SHORTEST_SECRET = 4  # hiding shorter values would garble texts and protect nothing
# Shorter values are placeholders such as "test": data contain them by chance, and hiding them there
# would change what is measured.
SHORTEST_IN_DATA = 8

_SECRET_NAME = re.compile(
    r"(?:(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET)|PASSWORD|PASSWD)$", re.IGNORECASE
)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@'\"]+@")
_QUERY_SECRET = re.compile(
    r"(?<=[?&])([\w-]*(?:key|token|secret|sig|signature|password))=[^&\s'\"]+", re.IGNORECASE
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_KEY_SHAPE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf)[-_][\w*.-]{8,}")

_SHORTEST_ENCODED = 12  # characters of base64: shorter ones stand in texts by chance
_SHORTEST_BEGINNING = 8
_SHORTEST_END = 3  # beside a mask, which says that it is a secret
_MASK = re.compile(r"\*{2,}|•{2,}|…|\.{3,}|[xX]{4,}")
_BEFORE, _BEHIND = re.compile(r"[\w+/~-]*\Z"), re.compile(r"[\w+/~-]*")

# Stricter than in error texts: a reply may say "basic functionality".
_SHAPES_IN_DATA = (
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf)[-_](?=[\w-]*\d)[\w-]{15,}"),
    re.compile(r"(?i)(?<=bearer )(?=\S*\d)[\w.~+/=-]{16,}"),
    re.compile(r"(?i)(?<=basic )(?=\S*[\d=])[\w.~+/=-]{16,}"),
    re.compile(r"(?i)(?<=[?&]key=)[^&\s'\"]{8,}|(?<=[?&]api[-_]key=)[^&\s'\"]{8,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),  # a JSON web token
)


def one_line(text: object, limit: int = 300, secrets: Iterable[str] = ()) -> str:
    """Return the text on one line of at most `limit` characters, with all credentials hidden.

    Credentials are `secrets`, the values of environment variables named like one (`…_KEY`,
    `…_TOKEN`, `…_SECRET`, `…_PASSWORD`), user names, passwords and queries in URLs there and in the
    text, and what has the shape of a key.
    """
    line = hide_secrets(" ".join(str(text).split()), secrets)
    line = "".join(character if character.isprintable() else "\ufffd" for character in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def hide_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with every credential, whole or cut, replaced by `[hidden]`."""
    secrets = tuple(secrets)
    text = hide_values(text, secrets)
    text = _hide_parts(text, (*secrets, *_environment_secrets()))
    text = _URL_CREDENTIALS.sub(f"{HIDDEN}@", text)
    text = _QUERY_SECRET.sub(rf"\1={HIDDEN}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    return _KEY_SHAPE.sub(HIDDEN, text)


def hide_in_data(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text of models or tests without `secrets` and credentials, ordinary words kept.

    Values of environment variables named like a credential count from 8 characters on.
    """
    text = hide_values(text, secrets, SHORTEST_IN_DATA)
    text = _URL_CREDENTIALS.sub(f"{HIDDEN}@", text)
    for shape in _SHAPES_IN_DATA:
        text = shape.sub(HIDDEN, text)
    return text


def hide_values(text: str, secrets: Iterable[str] = (), shortest: int = SHORTEST_SECRET) -> str:
    """Return the text without the given and the environment's secrets of at least `shortest`."""
    for secret in _spellings(frozenset((*secrets, *_environment_secrets())), shortest):
        text = text.replace(secret, HIDDEN)
    return text


def url_secrets(url: str | None) -> Iterator[str]:
    """Yield the user name, the password and the values of the query of a URL."""
    try:
        parts = urlsplit(url or "")
    except ValueError:  # not a URL, so it has no parts
        return
    user_info, at, _ = parts.netloc.rpartition("@")
    if at:
        yield from (unquote(part) for part in user_info.split(":"))
        yield unquote(user_info)
        yield base64.b64encode(unquote(user_info).encode()).decode()  # as the header has it
    yield from (value for _, value in parse_qsl(parts.query))


def _environment_secrets() -> Iterator[str]:
    # Read at each call: a test may load a key while it runs.
    for name in os.environ:
        kind = _kind_of(name)
        if kind == "secret":
            yield os.environ[name].strip()
        elif kind == "address" and "://" in (value := os.environ[name]):
            yield from url_secrets(value)


@lru_cache(maxsize=4096)
def _kind_of(name: str) -> str:
    if _SECRET_NAME.search(name):
        return "secret"
    return "address" if name.upper().endswith(("_BASE", "_URL")) else ""


@lru_cache(maxsize=64)
def _spellings(secrets: frozenset[str], shortest: int) -> tuple[str, ...]:
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


def _hide_parts(text: str, secrets: Iterable[str]) -> str:
    """Return the text without masked and cut secrets: `sk-ab****yz`, or the first half of one.

    Next to a mask, three characters of the secret's beginning or end are enough; without a mask it
    takes its first eight characters and at least half of it.
    """
    values = [value for value in secrets if len(value) >= _SHORTEST_BEGINNING]

    for mask in reversed(list(_MASK.finditer(text))) if values else ():
        begins = _BEFORE.search(text, 0, mask.start())
        ends = _BEHIND.match(text, mask.end())
        if begins and ends and _shows(begins[0], ends[0], values):
            text = text[: begins.start()] + HIDDEN + text[ends.end() :]
    for value in values:
        text = _without_beginning(text, value)
    return text


def _shows(begins: str, ends: str, values: Iterable[str]) -> bool:
    return any(
        (len(begins) >= _SHORTEST_END and value.startswith(begins))
        or (len(ends) >= _SHORTEST_END and value.endswith(ends))
        for value in values
    )


def _without_beginning(text: str, value: str) -> str:
    least = max(_SHORTEST_BEGINNING, len(value) // 2)
    start = text.find(value[:least])
    while start >= 0:
        end = start + least
        while end < len(text) and end - start < len(value) and text[end] == value[end - start]:
            end += 1
        text = text[:start] + HIDDEN + text[end:]
        start = text.find(value[:least], start + len(HIDDEN))
    return text
