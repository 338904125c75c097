"""Take the credentials out of a call's body: some gateways want them there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_mipro.runtime.text.credentials import can_be_secret

_WORD_BEGINS = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Whole words. Not every key or token is one: prompt_cache_key, eos_token, max_tokens.
_CREDENTIAL = re.compile(
    r"(?:\A|_)(?:(?:api|access|account|auth|gateway|private|secret|subscription)_?key|"
    r"(?:access|api|auth|bearer|refresh|security)_?token|"
    r"secret|password|passwd|passphrase|authorization)\Z|\Atoken\Z"
)
_DATA = {
    *("messages", "contents", "system", "instructions", "prompt", "inputs", "query"),
    *("chat_history", "documents", "examples", "context"),
}
_SCHEME = re.compile(r"\A(?:bearer|basic) ", re.IGNORECASE)


def without_credentials(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body without its credentials, and these by the names of their fields.

    They are fields at any depth that are named like a credential and hold a text that can be one.
    What the model reads is left as it is: a password there is the case's data.
    """
    rest = {name: value for name, value in body.items() if not _is_read(name, value)}
    left = _left(rest)
    kept = {name: left.get(name, body[name]) for name in body if name in left or name not in rest}
    return kept, dict(_credentials(rest))


def _is_read(name: str, value: Any) -> bool:
    return name in _DATA or (name == "input" and isinstance(value, list))


def _credentials(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for name, item in _items(value):
        if _is_credential(name, item):
            yield f"{path}{name}", _SCHEME.sub("", item)
        else:
            yield from _credentials(item, f"{path}{name}.")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _left(value: Any) -> Any:
    if isinstance(value, dict):
        return {n: _left(item) for n, item in value.items() if not _is_credential(n, item)}
    return [_left(item) for item in value] if isinstance(value, list) else value


def _is_credential(name: Any, value: Any) -> bool:
    if not (isinstance(name, str) and isinstance(value, str)):
        return False
    words = re.sub(r"[-.\s]", "_", _WORD_BEGINS.sub("_", name)).lower()
    secret = _SCHEME.sub("", value)
    return bool(_CREDENTIAL.search(words)) and " " not in secret and can_be_secret(secret)
