"""Recognise the addresses of LM calls, and leave the credentials out of an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

_PATHS = re.compile(r"(?:/completions|/responses|/v1/messages|/embeddings)\Z")
_PATHS_WITH_MODEL = re.compile(
    r"(?:/deployments/[^/]+(?:(?:/chat)?/completions|/embeddings)|:(?:stream)?generateContent)\Z",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(
    r"(?:\A|[-_.]|api|access)(?:key|token|secret|sig|signature|password|auth|authorization|"
    r"credential|cookie)\Z|(?:\A|(?:access|api|auth)[-_.]?)code\Z",  # but no lang_code
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Addresses:
    """Which addresses are those of LM calls, by `patterns` besides the known ones.

    A pattern is a host and path as `llm.example.com/v2/chat`, with `*` for anything; one that
    begins with `!` takes addresses out. The last pattern that fits decides.
    """

    patterns: tuple[str, ...] = ()

    def are_lm(self, method: str, url: str, body: Mapping[str, Any] | None) -> bool:
        """Return whether this is an LM call; `body` is None where it is no JSON object."""
        if method != "POST":
            return False
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        place = f"{(parts.hostname or '').lower()}{path}"
        for pattern in reversed(self.patterns):
            if fnmatchcase(place, pattern.removeprefix("!")):
                return not pattern.startswith("!")
        if body is None:
            return False
        named = isinstance(body.get("model"), str) and _PATHS.search(path) is not None
        return named or _PATHS_WITH_MODEL.search(path) is not None

    def may_be_lm(self, method: str, url: str) -> bool:
        """Return whether it can be an LM call, before its body is read."""
        return self.are_lm(method, url, {"model": ""})


def answers_are_known(target: str) -> bool:
    """Return whether path and query are those of an API whose replies have a form known here."""
    path = target.partition("?")[0].rstrip("/")
    return any(known.search(path) for known in (_PATHS, _PATHS_WITH_MODEL))


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, without user name and password."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


def target_of(url: str) -> str:
    """Return path and query of an address, without what may be a credential."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = sorted((name, value) for name, value in pairs if not _CREDENTIAL.search(name))
    return f"{parts.path}?{urlencode(kept)}" if kept else parts.path


def credentials_in(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return what may be a credential in a call's address and headers, by name."""
    parts = urlsplit(url)
    named = [*parse_qsl(parts.query), *headers.items()]
    found = {name: value for name, value in named if _CREDENTIAL.search(name) and value}
    found |= {"password": parts.password} if parts.password else {}
    return {name: re.sub(r"(?i)\A(?:bearer|basic) ", "", value) for name, value in found.items()}
