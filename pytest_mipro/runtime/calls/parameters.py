"""Check sampling parameters: those known to change a reply are recorded, others by digest."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_mipro.errors import UsageError
from pytest_mipro.runtime.signature.inputs.chat_history import OWN_CLIENT_WAY

RECORDED = (
    *("temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "seed"),
    *("stop", "frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias"),
    *("reasoning_effort", "thinking", "verbosity", "num_ctx"),
)
"""The parameters whose values stand in cache keys, locks and records: none holds a credential."""
PRIVATE = "private_parameters"
PRIVATE_PREFIX = "private:"
_ROUNDS = 100_000  # a guess takes a twentieth of a second

_OPTIONS = ("model", "reasoning", "prompt", "optimize")
_ONE_REPLY = "a module call is one request with one text reply"
_TOOLS = f"a module call is one request with one text reply; {OWN_CLIENT_WAY}"
_CLIENT = "the client sets it for all calls"
_AMBIENT = "keys and endpoints come from environment variables"
_REFUSED = {
    **dict.fromkeys(("messages", "n", "stream"), _ONE_REPLY),
    **dict.fromkeys(("tools", "tool_choice", "parallel_tool_calls"), _TOOLS),
    **dict.fromkeys(("functions", "function_call"), _TOOLS),
    **dict.fromkeys(("timeout", "max_retries", "num_retries", "drop_params"), _CLIENT),
    **dict.fromkeys(("api_key", "api_base", "base_url", "headers", "extra_headers"), _AMBIENT),
    "response_format": "the output annotation decides the format",
}


@dataclass(frozen=True)
class Parameters:
    """The parameters of a module's calls, with litellm's names and JSON values.

    `recorded` are those that anybody may read: the value of a private one is a keyed digest there.
    `private` are the true values of these, which are sent and kept nowhere.
    """

    recorded: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __or__(self, other: Parameters) -> Parameters:
        return Parameters({**self.recorded, **other.recorded}, {**self.private, **other.private})


def checked_parameters(
    parameters: Mapping[str, Any], private: object, where: str, error: type[UsageError]
) -> Parameters:
    """Return the parameters; raises `error`, which begins with `where`, for one that can't be sent.

    The error shows no value of a parameter that may hold a credential.
    """
    if private is not None and not isinstance(private, Mapping):
        raise error(f"{where}: {PRIVATE} must map names to values, not {type(private).__name__}")
    for name, value in parameters.items():
        _refuse(name, where, error)
        if name not in RECORDED:
            raise error(f"{where}: {_unknown(name)}")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name == "temperature" and not (number and 0 <= value < float("inf")):
            raise error(f"{where}: temperature must be a number from 0 up, not {value!r:.60}")
        _json(f"{name}={value!r:.60}", value, where, error)
    digests = {}
    for name, value in (private or {}).items():
        _refuse(name, where, error)
        if name in RECORDED:
            raise error(f"{where}: {name} can't be private; set it as {name}=…")
        digests[name] = _keyed_digest(name, _json(f"{PRIVATE}: {name}", value, where, error))
    return Parameters({**parameters, **digests}, dict(private or {}))


def _refuse(name: object, where: str, error: type[UsageError]) -> None:
    if not isinstance(name, str):
        raise error(f"{where}: the name of a parameter is a text, not {type(name).__name__}")
    if name in _REFUSED:
        raise error(f"{where}: {name} can't be set here: {_REFUSED[name]}")
    if name in _OPTIONS:
        raise error(f"{where}: {name} is an option of @lm_module; set it there")


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, (*_OPTIONS, *RECORDED), n=1, cutoff=0.8)
    if close:
        return f"unknown parameter {name!r}; did you mean {close[0]!r}?"
    return (
        f"{name!r} is none of the parameters that are recorded ({', '.join(RECORDED)}); if the "
        f"endpoint takes it, set {PRIVATE}={{{name!r}: …}}, of which only a digest is kept; "
        f"{_AMBIENT}"
    )


def _json(shown: str, value: Any, where: str, error: type[UsageError]) -> str:
    try:
        return json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise error(f"{where}: {shown} has no JSON form; give a number, a text or a list") from None


def _keyed_digest(name: str, text: str) -> str:
    """Return 8 hex digits that change with the value: equal on all machines, and slow to guess by.

    The key is the parameter's name, since a secret key could be none in a repo that all may read.
    """
    key = f"pytest-mipro {name}".encode()
    return PRIVATE_PREFIX + hashlib.pbkdf2_hmac("sha256", text.encode(), key, _ROUNDS, 4).hex()
