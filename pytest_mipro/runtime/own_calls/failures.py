"""What the world did to a call of the pipeline's own client: an answer that is none, no answer."""

from __future__ import annotations

from http import HTTPStatus

from pytest_mipro.errors import EndpointDownError, EndpointError, MiproError, UnreachableError
from pytest_mipro.runtime.client.live.live_errors import LOST_STATUS, error_of_status
from pytest_mipro.runtime.client.live.retry import Failure, retry_after
from pytest_mipro.runtime.own_calls.addresses import answers_are_known
from pytest_mipro.runtime.own_calls.apis.reading import Reading
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, OwnRequest, json_object
from pytest_mipro.runtime.text.redaction import one_line

_NO_CONNECTION = (
    "ConnectError",
    "ConnectTimeout",
    "ClientConnectorError",
    "ConnectionTimeoutError",
)


class WorldError(Exception):
    """What the world did to a call: an `answer` that is no reply, or the transport's `error`."""

    def __init__(self, answer: HTTPAnswer | None = None, error: Exception | None = None) -> None:
        super().__init__(str(error or (answer.status if answer else "")))
        self.answer = answer
        self.error = error


def world_error(error: BaseException) -> WorldError | None:
    """Return what the world did to the call that ended with this error, None: nothing.

    What is behind an error of somebody else's is of another call, which the pipeline has handled.
    """
    link: BaseException | None = error
    while isinstance(link, MiproError):
        link = link.__cause__ or link.__context__
    return link if isinstance(link, WorldError) else None


def transport_failure(request: OwnRequest, error: Exception) -> Failure:
    """Return the failure of a call to which no answer came."""
    text = one_line(str(error) or type(error).__name__, secrets=request.secrets)
    there = not any(kind.__name__ in _NO_CONNECTION for kind in type(error).__mro__)
    kind = EndpointDownError if there else UnreachableError
    failed = kind(f"the connection failed: {text}")
    failed.__cause__ = WorldError(error=error)
    return Failure(failed, retried=True, lost=there)


def answer_failure(request: OwnRequest, answer: HTTPAnswer, told: Reading) -> Failure | None:
    """Return the failure of an answer that is no reply, None for a reply.

    `told` is what the answer says.
    """
    said = _problem(request, answer, told)
    if not said:
        return None
    text = one_line(said, secrets=request.secrets)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        failed: MiproError = EndpointError(f"the call is redirected ({answer.status})")
    elif answer.status < HTTPStatus.MULTIPLE_CHOICES and not told.error:
        failed = EndpointDownError(text)  # a page, which may speak of anything
    else:
        failed = error_of_status(request.model, answer.status, text)
    failed.__cause__ = WorldError(answer)
    return Failure(
        failed,
        retried=isinstance(failed, EndpointDownError),
        status=answer.status,
        wait=retry_after(answer.headers),
        lost=answer.status in (200, *LOST_STATUS),
    )


def _problem(request: OwnRequest, answer: HTTPAnswer, told: Reading) -> str:
    """Return why an answer is no reply, "" where it is one."""
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        error = (json_object(answer.body) or {}).get("error")
        text = error.get("message") if isinstance(error, dict) else error
        return str(text or answer.text or f"status {answer.status}")
    if told.known or told.error or not answers_are_known(request.target):
        return told.error
    if answer.coding:
        return f"the answer is compressed unasked ({answer.coding}), which can't be read here"
    return f"the answer is no reply: {answer.text!r}"  # as a gateway's page of an error
