"""Find the base URL and key that serve a model, and the URL's digest without credentials."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_mipro.errors import EndpointError, MissingKeyError
from pytest_mipro.runtime.client.live.live_errors import unknown_model
from pytest_mipro.runtime.text.redaction import one_line

PLACEHOLDER_KEY = "no-key"  # litellm wants one, also for a local server that needs none
_BARE_NAMES = {"claude": "ANTHROPIC", "gemini": "GEMINI", "command": "COHERE"}


def api_base(model: str, configured: str | None) -> str | None:
    """Return the base URL for a model: the configured one, else litellm's variables, else None.

    The variables are `<PROVIDER>_BASE_URL` and `<PROVIDER>_API_BASE`, as in `OPENAI_BASE_URL`.
    """
    if configured:
        return configured
    prefix, slash, _ = model.partition("/")
    family = re.split(r"[-_.]", model, maxsplit=1)[0].lower()
    provider = re.sub(r"\W", "_", prefix).upper() if slash else _BARE_NAMES.get(family, "OPENAI")
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


def access_to(litellm: ModuleType, model: str, configured: str | None) -> dict[str, Any]:
    """Return the base URL and key to pass; raises where the model or its key is missing."""
    base = api_base(model, configured)
    try:
        _, provider, _, _ = litellm.get_llm_provider(model=model, api_base=base)
    except Exception as error:
        raise unknown_model(model) from error
    access: dict[str, Any] = {}
    if base:  # with credentials in the URL, the connection would refuse the key's header
        parts = urlsplit(base)
        user_info, at, host = parts.netloc.rpartition("@")
        access["api_base"] = urlunsplit(parts._replace(netloc=host)) if at else base
        if at:
            token = base64.b64encode(unquote(user_info).encode()).decode()
            access["extra_headers"] = {"Authorization": f"Basic {token}"}
    missing = _missing_key(litellm, model, provider)
    if missing and not base:
        raise MissingKeyError(
            f"model {model!r} needs an API key: set the environment variable {missing}"
        )
    if missing:
        access["api_key"] = PLACEHOLDER_KEY
    return access


def drops_temperature(litellm: ModuleType, model: str, configured: str | None) -> bool:
    """Return whether litellm leaves `temperature=0` out for the model, as for the o-series."""
    try:
        base = api_base(model, configured)
        name, provider, _, _ = litellm.get_llm_provider(model=model, api_base=base)
        one, other = (
            litellm.utils.get_optional_params(
                model=name, custom_llm_provider=provider, drop_params=True, **asked
            )
            for asked in ({"temperature": 0}, {})
        )
    except Exception:  # noqa: BLE001 - litellm raises many types for an unknown model
        return False
    return bool(one == other)


def _missing_key(litellm: ModuleType, model: str, provider: str) -> str:
    """Return the variable to set, empty where a key is set or none is known to be needed."""
    if getattr(litellm, "api_key", None) or getattr(litellm, f"{provider}_key", None):
        return ""
    missing = litellm.validate_environment(model=model)["missing_keys"]
    if not missing and os.environ.get(f"{provider.upper()}_API_KEY") == "":
        missing = [f"{provider.upper()}_API_KEY"]
    names = [name for name in missing if name.endswith(("_API_KEY", "_TOKEN"))]
    # litellm lists one spelling where its providers accept several: any credential named like the
    # provider counts, and the endpoint refuses a wrong one.
    stems = {name.partition("_")[0].removesuffix("AI") or name for name in names}
    others = [
        name
        for name, value in os.environ.items()
        if value and name.endswith(("_KEY", "_TOKEN", "_SECRET"))
    ]
    if any(other.startswith(stem) for other in others for stem in stems):
        return ""
    return " or ".join(names)
