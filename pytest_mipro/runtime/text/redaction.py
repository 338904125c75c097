"""Remove credentials from texts, and shorten texts from outside to one line for messages."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from pytest_mipro.runtime.text.secret_spellings import hide_parts, spellings

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
    text = hide_parts(text, (*secrets, *_environment_secrets()), HIDDEN)
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
    for secret in spellings(frozenset((*secrets, *_environment_secrets())), shortest):
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
