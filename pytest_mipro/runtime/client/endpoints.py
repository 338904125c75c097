"""Find the base URL that serves a model, and its digest without credentials."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.text.redaction import one_line

_BARE_NAMES = {"claude": "ANTHROPIC", "gemini": "GEMINI", "command": "COHERE"}


def api_base(model: str, configured: str | None) -> str | None:
    """Return the base URL for a model: the configured one, else litellm's variables, else None.

    The variables are `<PROVIDER>_BASE_URL` and `<PROVIDER>_API_BASE`, as in `OPENAI_BASE_URL`.
    """
    if configured:
        return configured
    provider = _provider(model)
    for name in (f"{provider}_BASE_URL", f"{provider}_API_BASE"):
        base = os.environ.get(name, "").strip()
        if base and not is_http_url(base):
            raise EndpointError(
                f"{name} must be a URL as http://localhost:8000/v1, got {one_line(base)!r}"
            )
        if base:
            return base
    return None


def is_http_url(text: str) -> bool:
    """Return whether the text is a URL of http or https that names a host."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)


def _provider(model: str) -> str:
    prefix, slash, _ = model.partition("/")
    if slash:
        return re.sub(r"\W", "_", prefix).upper()
    family = re.split(r"[-_.]", model, maxsplit=1)[0].lower()
    return _BARE_NAMES.get(family, "OPENAI")


def without_credentials(base: str) -> tuple[str, dict[str, str]]:
    """Return the base URL without user name and password, and the header that carries them."""
    parts = urlsplit(base)
    user_info, at, host = parts.netloc.rpartition("@")
    if not at:
        return base, {}
    token = base64.b64encode(unquote(user_info).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {token}"}


def endpoint_digest(base: str | None) -> str:
    """Return 12 hex digits of the SHA-256 of a base URL; empty where there is none.

    Credentials, query and fragment do not count, nor do the case of the host and a final slash.
    """
    if not base:
        return ""
    parts = urlsplit(base.strip())
    host = parts.netloc.rpartition("@")[2].lower()
    place = f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()[:12]
