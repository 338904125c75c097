"""Turn what litellm raises into an error of this package and the facts that decide on a retry."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_mipro.errors import (
    ContextWindowError,
    EndpointDownError,
    EndpointError,
    InfrastructureError,
    MiproError,
    MissingKeyError,
    ModuleCallError,
    RefusalError,
    UnknownModelError,
    UnreachableError,
)
from pytest_mipro.runtime.client.live.redirects import RedirectRefusedError
from pytest_mipro.runtime.client.live.retry import Failure, is_transient, retry_after
from pytest_mipro.runtime.text.redaction import one_line

_POLICY_CODES = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")
_TOO_LARGE = "request too large"
_RATE = "tokens per min"  # of the account: no wait makes a request fit that is larger
_WINDOW_CODES = ("context_length_exceeded", "maximum context length", "context window")
_KEY_TEXTS = ("missing credentials", "api_key client option must be set", "missing api key")
_QUOTA_TEXTS = ("insufficient_quota", "exceeded your current quota")
_SHUT_DOWN = ("after shutdown", "after interpreter shutdown", "at interpreter shutdown")
_UNREADABLE = ("jsondecodeerror", "error converting to valid response")
LOST_STATUS = frozenset({408, 502, 504})  # of gateways: the model behind may have answered
_NO_CONNECTION = ("ConnectError", "ClientConnectorError", "ClientConnectorDNSError")


class BrokenReplyError(Exception):
    """An answer with status 200 that holds no reply."""


def refuse_broken(choice: Any) -> None:
    """Raise BrokenReplyError for a choice that holds no reply: an error, no content, only thoughts.

    An empty text is a reply, and so is what was cut before any text came.
    """
    # litellm turns a reason that it does not know into "stop"
    if "error" in (choice.finish_reason, _field(choice, "native_finish_reason")):
        raise BrokenReplyError("the endpoint ended its reply by an error")
    if _field(choice, "error"):
        raise BrokenReplyError("the endpoint gave an error in place of a reply")
    message = choice.message
    if choice.finish_reason == "length" or _field(message, "tool_calls"):
        return
    if not message.content and (
        _field(message, "reasoning_content") or _field(message, "reasoning")
    ):
        raise BrokenReplyError("the answer holds reasoning alone")
    if message.content is None:
        raise BrokenReplyError("the answer holds no content")


def _field(item: Any, name: str) -> Any:
    """Return a field as the endpoint named it, wherever litellm keeps it; None without it."""
    beside = getattr(item, "provider_specific_fields", None) or {}
    return getattr(item, name, None) or beside.get(name)


def failure_of(error: Exception, model: str, secrets: tuple[str, ...] = ()) -> Failure:
    """Return what an exception of litellm, a time-out or a broken reply means.

    `secrets` are hidden in the endpoint's text, as is all that looks like a credential.
    """
    status: int | None = None
    text = _text(error, secrets)
    with suppress(TypeError, ValueError, AttributeError):
        status = int(error.status_code)  # type: ignore[attr-defined] # most of litellm's have it
    permanent = _redirect(error, model) or thread_left_alone(error) or dates_replaced(error)
    # litellm takes an answer that it can't read for the caller's mistake
    if permanent is None and not _unreadable(error, text):
        permanent = _permanent_cause(error, model, status, text)
    if permanent is not None:
        return Failure(permanent, retried=False, status=status)
    kind = UnreachableError if _never_connected(error) else EndpointDownError
    return Failure(
        kind(_told(error, status, text)),
        retried=True,
        status=status,
        wait=_asked_wait(error),
        lost=kind is EndpointDownError and _answer(error) in {None, *LOST_STATUS},
    )


def _told(error: Exception, status: int | None, text: str) -> str:
    """Return the text with the status that was answered: litellm has one where none was, too."""
    links = {type(link).__name__ for link in _chain(error)}
    if _answer(error) is None and "JSONDecodeError" in links:
        return f"an answer that is no JSON: {text}"
    return text if status is None or _never_connected(error) else f"{status}: {text}"


def error_of_status(model: str, status: int, text: str) -> MiproError:
    """Return what an answer with an HTTP status of 300 or more means for a pipeline's own client.

    `text` is the answer's message.
    """
    permanent = _permanent_cause(Exception(text), model, status, text, _FOR_OWN_CLIENTS)
    return permanent or EndpointDownError(f"{status}: {text}")


def _redirect(error: Exception, model: str) -> MiproError | None:
    found = next((link for link in _chain(error) if isinstance(link, RedirectRefusedError)), None)
    return EndpointError(f"the endpoint of model {model!r} {found}") if found else None


def thread_left_alone(error: BaseException) -> ModuleCallError | None:
    """Return what an error means that Python raises once the main thread has ended, else None."""
    texts = (str(link) for link in _chain(error) if isinstance(link, RuntimeError))
    if not any(text.endswith(_SHUT_DOWN) for text in texts) or threading.main_thread().is_alive():
        return None
    return ModuleCallError(
        "an LM module was called in a thread after the main thread had ended, where Python starts "
        "no more work for it; join your threads before the main one ends"
    )


def dates_replaced(error: BaseException) -> InfrastructureError | None:
    """Return what an error means of a model whose types were freezegun's, else None."""
    if not any("schema for <class 'freezegun." in str(link) for link in _chain(error)):
        return None
    return InfrastructureError(
        "litellm, which makes the LM calls, can't be used while freezegun replaces the types of "
        "`datetime`; fix the clock of your tests by time-machine, which leaves them as they are"
    )


def _unreadable(error: Exception, text: str) -> bool:
    return _answer(error) is None and any(sign in _signs(error, text) for sign in _UNREADABLE)


@dataclass(frozen=True)
class _Remedies:
    """What to do where a key is not accepted, a model has no provider, or a 404 is the answer."""

    key: str
    model: str
    not_found: str


_NAME = "write it as provider/model, as in openai/gpt-4o-mini, with a name that the provider lists"
_FOR_MODULES = _Remedies(
    "set the provider's API key variable to one that it accepts",
    _NAME,
    f"{_NAME}, and correct the endpoint's address if you set one",
)
_OWN = "check the model's name and the base URL that the pipeline gives its client"
_FOR_OWN_CLIENTS = _Remedies("check the key that the pipeline gives its client", _OWN, _OWN)


def _permanent_cause(
    error: Exception,
    model: str,
    status: int | None,
    text: str,
    remedies: _Remedies = _FOR_MODULES,
) -> MiproError | None:
    """Return the error for a failure that another attempt would meet again."""
    signs = _signs(error, text)
    if status in {401, 403} or any(key in signs for key in _KEY_TEXTS):
        return MissingKeyError(
            f"the endpoint of model {model!r} accepts no call with this key "
            f"({status or 'no key'}): {text}; {remedies.key}"
        )
    if status == 404 or "llm provider not provided" in signs:
        told = (text, remedies.not_found) if status == 404 else ("", remedies.model)
        return unknown_model(model, *told)
    if _TOO_LARGE in signs:
        return _too_large(signs, model, text)
    if not is_transient(status):
        return _refused_request(signs, model, status, text)
    if any(quota in signs for quota in _QUOTA_TEXTS):
        return EndpointError(f"the account for model {model!r} has no quota left: {text}")
    return None


def _refused_request(signs: str, model: str, status: int | None, text: str) -> MiproError:
    if status in {400, 413, 422}:
        if "contextwindowexceeded" in signs or any(code in signs for code in _WINDOW_CODES):
            return _too_long(model, text)
        if "contentpolicyviolation" in signs or any(code in signs for code in _POLICY_CODES):
            return RefusalError(f"the provider's filter refused the request to {model!r}: {text}")
    return EndpointError(f"the endpoint of model {model!r} refused the call ({status}): {text}")


def _too_large(signs: str, model: str, text: str) -> MiproError:
    if _RATE not in signs:
        return _too_long(model, text)
    return EndpointError(
        f"a request to model {model!r} is larger than what the account may send a minute: {text}; "
        "raise the account's limit, or shorten the request"
    )


def _too_long(model: str, text: str) -> ContextWindowError:
    return ContextWindowError(
        f"the request is longer than model {model!r} takes: {text}; "
        f"shorten the inputs, or use fewer demos"
    )


def unknown_model(
    model: str, text: str = "", remedy: str = _FOR_MODULES.model
) -> UnknownModelError:
    """Return the error for a model that no provider serves; `text` is the endpoint's own."""
    reason = f": {text}" if text else ""
    return UnknownModelError(f"no provider serves model {model!r}{reason}; {remedy}")


def _signs(error: Exception, text: str) -> str:
    """Return what identifies a cause: the text, the exception's type and the endpoint's codes."""
    bodies = (getattr(link, "body", None) for link in _chain(error))
    codes = (str(body.get("code") or "") for body in bodies if isinstance(body, dict))
    return " ".join([text, type(error).__name__, *codes]).lower()


def _chain(error: BaseException) -> Iterator[BaseException]:
    # litellm wraps twice and keeps the headers on the inner exceptions only.
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _never_connected(error: Exception) -> bool:
    # By name too: each HTTP library has its own type, and litellm decides which library it uses.
    return any(
        isinstance(link, (ConnectionRefusedError, socket.gaierror))
        or type(link).__name__ in _NO_CONNECTION
        for link in _chain(error)
    )


def _answer(error: Exception) -> int | None:
    """Return the status by which the endpoint refused the call, None where it sent none.

    litellm gives its exceptions a status of its own where no answer came.
    """
    told = (link for link in _chain(error) if type(link).__name__ == "HTTPStatusError")
    response = next((getattr(link, "response", None) for link in told), None)
    return getattr(response, "status_code", None)


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


def _text(error: Exception, secrets: tuple[str, ...]) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(getattr(error, "message", "") or error)
    for noise in ("litellm.", f"{type(error).__name__}: "):
        text = text.replace(noise, "")
    if "connection error" in text.lower():  # the SDK hides which
        text += f" {list(_chain(error))[-1]}"
    return one_line(text, secrets=secrets) or type(error).__name__
