"""Check sampling parameters: typing errors are refused, and keys never get recorded."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pytest_mipro.errors import UsageError

_OPTIONS = ("model", "reasoning", "temperature", "prompt", "optimize")
_OFTEN_MEANT = (*_OPTIONS, "max_tokens", "top_p", "seed", "stop")
_ONE_REPLY = "a module call is one request with one text reply"
_CLIENT = "the client sets it for all calls"
_AMBIENT = "keys and endpoints come from environment variables, since parameters are recorded"
_REFUSED = {
    **dict.fromkeys(("messages", "n", "stream", "tools", "tool_choice", "functions"), _ONE_REPLY),
    **dict.fromkeys(("timeout", "max_retries", "num_retries", "drop_params"), _CLIENT),
    **dict.fromkeys(("api_key", "api_base", "base_url", "headers", "extra_headers"), _AMBIENT),
    "response_format": "the output annotation decides the format",
}


def checked_parameters(
    parameters: Mapping[str, Any], where: str, error: type[UsageError]
) -> dict[str, Any]:
    """Return the parameters; raises `error`, which begins with `where`, for one that can't be sent.

    They are JSON values with litellm's names, as they are part of the cache key.
    """
    for name, value in parameters.items():
        if name in _REFUSED:
            raise error(f"{where}: {name} can't be set here: {_REFUSED[name]}")
        if name in _OPTIONS and name != "temperature":
            raise error(f"{where}: {name} is an option of @lm_module; set it there")
        close = difflib.get_close_matches(name, _OFTEN_MEANT, n=1, cutoff=0.8)
        if close and close[0] != name:
            raise error(f"{where}: unknown parameter {name!r}; did you mean {close[0]!r}?")
        _check_value(name, value, where, error)
    return dict(parameters)


def _check_value(name: str, value: Any, where: str, error: type[UsageError]) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "temperature" and not (number and 0 <= value < float("inf")):
        raise error(f"{where}: temperature must be a number from 0 up, not {value!r:.60}")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise error(
            f"{where}: {name}={value!r:.60} has no JSON form; give a number, a text or a list"
        ) from None
