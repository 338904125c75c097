"""Hide credentials in texts that are shown or kept; shorten texts from outside to one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_mipro.runtime.text.credential_spans import credential_spans
from pytest_mipro.runtime.text.credentials import credentials

HIDDEN = "[hidden]"
_READ = 64  # how many times a line's limit is read of a text: what is cut off needs no search

_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@'\"]+@")
# Of a database, a password may hold a slash, as SQLAlchemy and the drivers take it so.
_DATABASE_CREDENTIALS = re.compile(
    r"\b((?:postgres(?:ql)?|mysql|mariadb)(?:\+\w{1,40})?://)(?!/)[^\s'\"]{1,400}@", re.IGNORECASE
)
# Each repetition is bounded or ends where the next match may begin: the time is linear.
_SHAPES = (
    re.compile(
        r"(?<=[?&])([\w-]{0,40}(?:key|token|secret|sig|signature|password)=)[^&\s'\"]+",
        re.IGNORECASE,
    ),
    re.compile(r"\b(bearer\s)(?=\S{0,400}\d)[\w.~+/=-]{12,}", re.IGNORECASE),
    re.compile(r"\b(basic\s)(?=\S{0,400}[\d=])[\w.~+/=-]{16,}", re.IGNORECASE),
    re.compile(r"\b()(?:sk|pk|rk|gsk|xai|hf)[-_](?=[\w-]{0,200}\d)[\w-]{15,}"),
    re.compile(r"\b()(?:sk|pk|rk|gsk|xai|hf)[-_][\w-]{0,40}\*{3,}[\w*-]*"),
    re.compile(r"\b()(?:A[KS]IA[A-Z\d]{16}|AIza[\w-]{35}|gh[oprsu]_\w{36})\b"),
    re.compile(r"\b()(?:github_pat_(?=\w{0,200}\d)\w{22,}|glpat-(?=[\w-]{0,200}\d)[\w-]{20,})"),
    re.compile(r"\b()eyJ[\w-]{8,400}\.[\w-]{8,}\.[\w-]{8,}"),  # a JSON web token
)


def one_line(text: object, limit: int = 300, secrets: Iterable[str] = ()) -> str:
    """Return the text on one line of at most `limit` characters, with all credentials hidden."""
    line = hide_secrets(" ".join(str(text)[: _READ * limit].split()), secrets)
    line = "".join(character if character.isprintable() else "\ufffd" for character in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def hide_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with every credential replaced by `[hidden]`.

    Credentials are those of `credentials(secrets)`, whole, halved or masked, in whatever spelling;
    user names and passwords in URLs; and what has the shape of a key.
    """
    pieces, done = [], 0
    for start, end in credential_spans(text, credentials(secrets)):
        pieces += [text[done:start], HIDDEN]
        done = end
    text = "".join([*pieces, text[done:]])
    text = _DATABASE_CREDENTIALS.sub(rf"\1{HIDDEN}@", text)
    text = _URL_CREDENTIALS.sub(f"{HIDDEN}@", text)
    for shape in _SHAPES:
        text = shape.sub(rf"\1{HIDDEN}", text)
    return text
