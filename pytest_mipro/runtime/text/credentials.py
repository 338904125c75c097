"""Tell which values are credentials.

A value counts only if it can be a secret: eight characters or more, not made of up to three words
(`postgres`, `created_at`, `local-dev-key`), no number or date (`2024-02-01`), and not part of what
the repo shows to every reader.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

SHORTEST = 8
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


def can_be_secret(value: str) -> bool:
    """Return whether a value can be a secret, and does not stand in texts by chance."""
    by_chance = 0 < _count_words(value) <= _MOST_WORDS or _is_number(value)
    return len(value) >= SHORTEST and not by_chance


def is_common(text: str) -> bool:
    """Return whether a text is words, a number or a date, which stand in texts by chance."""
    return _count_words(text) > 0 or _is_number(text)


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
