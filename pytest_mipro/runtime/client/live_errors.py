"""What a failed live call means: try again, or which error of the package the user gets."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import (
    ContextWindowError,
    EndpointDownError,
    EndpointError,
    MiproError,
    MissingKeyError,
    RefusalError,
    UnknownModelError,
    UnreachableError,
)
from pytest_mipro.runtime.client.retry import retry_after
from pytest_mipro.runtime.text.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLICY_CODES = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")
_WINDOW_CODES = ("context_length_exceeded", "maximum context length", "context window")
_KEY_TEXTS = ("missing credentials", "api_key client option must be set", "missing api key")
_SPENT_TEXTS = ("insufficient_quota", "exceeded your current quota")
_NO_CONNECTION = ("ConnectError", "ClientConnectorError", "ClientConnectorDNSError")
_TRIED_AGAIN = frozenset({408, 409, 425, 429})
_OVERLOADED = frozenset({503, 529})  # with a Retry-After: the endpoint itself is well


class BrokenReplyError(Exception):
    """An answer with status 200 that holds no reply."""


@dataclass(frozen=True)
class Failure:
    """One failed attempt: the error for the user, whether to try again, and how long to wait.

    `wait` is in seconds, as the endpoint asked for it; None where it did not ask. `limited` says
    that nothing is wrong with the call: it came too soon, as all calls to the model would have;
    `timed_out` that no answer came, though the endpoint may have worked on one.
    """

    error: MiproError
    again: bool
    wait: float | None = None
    limited: bool = False
    timed_out: bool = False


def failure_of(error: Exception, model: str, secrets: tuple[str, ...] = ()) -> Failure:
    """Return what an exception of litellm, a time-out or a broken reply means.

    `secrets` are hidden in the endpoint's words, with all that `redact` knows of itself.
    """
    status, text = _status(error), _text(error, secrets)
    known = _known_cause(error, model, status, text)
    if known is not None:
        return Failure(known, again=False)
    if status is not None and 400 <= status < 500 and status not in _TRIED_AGAIN:
        return Failure(
            EndpointError(f"the endpoint of model {model!r} refused the call ({status}): {text}"),
            again=False,
        )
    if any(spent in _signs(error, text) for spent in _SPENT_TEXTS):
        return Failure(
            EndpointError(f"the account for model {model!r} has no quota left: {text}"), again=False
        )
    cause = f"{status}: {text}" if status else text
    kind = UnreachableError if _never_connected(error) else EndpointDownError
    wait = _asked_wait(error)
    limited = status == 429 or (status in _OVERLOADED and wait is not None)
    return Failure(
        kind(cause),
        again=True,
        wait=wait,
        limited=limited,
        timed_out=status == 408
        or isinstance(error, TimeoutError)
        or "Timeout" in type(error).__name__,
    )


def _known_cause(error: Exception, model: str, status: int | None, text: str) -> MiproError | None:
    said = _signs(error, text)
    if status in {401, 403} or any(key in said for key in _KEY_TEXTS):
        return MissingKeyError(
            f"the endpoint of model {model!r} accepts no call with this key "
            f"({status or 'no key'}): {text}; set the provider's API key variable"
        )
    if status == 404 or "llm provider not provided" in said:
        return unknown_model(model, text if status == 404 else "")
    if status not in {400, 413, 422}:
        return None
    if "contextwindowexceeded" in said or any(code in said for code in _WINDOW_CODES):
        return ContextWindowError(
            f"the request is longer than model {model!r} takes: {text}; "
            f"shorten the inputs, or use fewer demos"
        )
    if "contentpolicyviolation" in said or any(code in said for code in _POLICY_CODES):
        return RefusalError(f"the provider's filter refused the request to {model!r}: {text}")
    return None


def unknown_model(model: str, text: str = "") -> UnknownModelError:
    """Return the error for a model that no provider serves; `text` is the endpoint's own."""
    said = f": {text}" if text else ""
    return UnknownModelError(
        f"no provider serves model {model!r}{said}; write it as provider/model, "
        f"as in openai/gpt-4o-mini, with a name that the provider lists"
    )


def _signs(error: Exception, text: str) -> str:
    """Return all by which a cause can be told: the text, the type, and the endpoint's codes."""
    bodies = (getattr(link, "body", None) for link in _chain(error))
    codes = (str(body.get("code") or "") for body in bodies if isinstance(body, dict))
    return " ".join([text, type(error).__name__, *codes]).lower()


def _chain(error: BaseException) -> Iterator[BaseException]:
    # litellm wraps twice and keeps the headers on the inner exceptions alone.
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _never_connected(error: Exception) -> bool:
    # By name too: each HTTP library has a type of its own, and litellm decides which one it uses.
    return any(
        isinstance(link, (ConnectionRefusedError, socket.gaierror))
        or type(link).__name__ in _NO_CONNECTION
        for link in _chain(error)
    )


def _asked_wait(error: Exception) -> float | None:
    for link in _chain(error):
        response: Any = getattr(link, "response", None)
        for headers in (
            getattr(link, "litellm_response_headers", None),
            getattr(response, "headers", None),
        ):
            wait = retry_after(headers) if headers else None
            if wait is not None:
                return wait
    return None


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    try:
        return int(status) if status is not None else None
    except (TypeError, ValueError):
        return None


def _text(error: Exception, secrets: tuple[str, ...]) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(getattr(error, "message", "") or error)
    for noise in ("litellm.", f"{type(error).__name__}: "):
        text = text.replace(noise, "")
    if "connection error" in text.lower():  # the SDK hides which
        text += f" {list(_chain(error))[-1]}"
    return one_line(text, secrets=secrets) or type(error).__name__
