"""Wrappers that make replies fit to be kept, record them, and track which ones a case used."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pytest_mipro.errors import EndpointError, RefusalError
from pytest_mipro.plugin.replies.troubles import TroubleCounter
from pytest_mipro.runtime.calls.context import calling_module, keeping_step
from pytest_mipro.runtime.client.clock import real_time
from pytest_mipro.runtime.client.contract import (
    LMClient,
    Reply,
    Request,
    known_cost,
    known_seconds,
    known_usage,
)
from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.own_calls.apis.reading import read_answer
from pytest_mipro.runtime.own_calls.http_call import OwnRequest, answer_of_text
from pytest_mipro.runtime.own_calls.redacting import redacted_reply
from pytest_mipro.runtime.replies.recorded import RecordedReplies
from pytest_mipro.runtime.text.credential_spans import echoed_credential
from pytest_mipro.runtime.text.credentials import variable_of
from pytest_mipro.runtime.text.redaction import HIDDEN, one_line


class CheckedClient(ClientWrapper):
    """Lets replies pass that may be measured and kept, dated, as they are.

    One that echoes a credential is none: what is measured must be what is kept, and a credential is
    kept nowhere. `secrets` are credentials besides those of the environment.
    """

    def __init__(self, inner: LMClient, secrets: tuple[str, ...]) -> None:
        super().__init__(inner)
        self._secrets = secrets

    async def complete(self, request: Request) -> Reply:
        """Return the inner client's reply; raises EndpointError for one that echoes a credential.

        That includes the reason of a refusal, which would become feedback.
        """
        try:
            return await super().complete(request)
        except RefusalError as error:
            self._refuse_echo(request, (str(error),))
            if HIDDEN in str(error):
                raise _echo_error(request, "") from None
            raise

    def received(self, request: Request, reply: Reply) -> Reply:
        """Return the reply, dated, without impossible figures; raises EndpointError."""
        self._refuse_echo(request, (*_said(request, reply), reply.model, reply.finish_reason))
        return replace(
            reply,
            usage=known_usage(reply.usage.prompt_tokens, reply.usage.completion_tokens),
            cost=known_cost(reply.cost),
            latency=known_seconds(reply.latency),
            asked=known_seconds(reply.asked) or real_time(),
        )

    def _refuse_echo(self, request: Request, texts: tuple[str, ...]) -> None:
        asked = (request.model, *(message.content for message in request.messages))
        echo = echoed_credential(texts, (*self._secrets, *request.secrets), asked)
        if echo:
            raise _echo_error(request, variable_of(echo))


def _said(request: Request, reply: Reply) -> tuple[str, ...]:
    """Return the texts of a reply: of an own client's answer, also what its events say together."""
    if not isinstance(request, OwnRequest):
        return (reply.text,)
    return reply.text, read_answer(answer_of_text(reply.text)).text


def _echo_error(request: Request, variable: str) -> EndpointError:
    whose = f", that of {variable}," if variable else ""
    return EndpointError(
        f"{request.answerer} echoed a credential{whose} in its reply, which is neither measured "
        "nor kept; check what stands between you and the model"
    )


class RecordingClient(CheckedClient):
    """Asks the cache, then the replies recorded before, then the model.

    The cache comes first, so that what `--mipro-replies=fresh` fetched gets recorded; the recorded
    replies save whoever has no cache the price of what did not change. The hooks' `redact` changes
    a reply before the pipeline sees it: a later request that holds its text must be the one that a
    replay makes.
    """

    def __init__(
        self,
        cache: LMClient,
        recorded: RecordedReplies,
        redact: Callable[[str], str],
        secrets: tuple[str, ...] = (),
    ) -> None:
        super().__init__(cache, secrets)
        self._recorded = recorded
        self._redact = redact

    async def complete(self, request: Request) -> Reply:
        """Return the reply as the file will hold it; raises EndpointError for an echo."""
        # In a thread: opening the cache may wait for another process.
        known = await asyncio.to_thread(self.lookup, request)
        return known or await super().complete(request)

    def lookup(self, request: Request) -> Reply | None:
        """Return the reply of the cache or a recording, as the file will hold it."""
        reply = super().lookup(request)
        if reply is None and (found := self._recorded.reply_to(request)) is not None:
            reply = self.received(request, found)
        return reply

    def received(self, request: Request, reply: Reply) -> Reply:
        """Return the reply as the file will hold it."""
        redact, asked, own = self._redact, reply.asked, isinstance(request, OwnRequest)
        text = redacted_reply(reply.text, redact) if own else redact(reply.text)
        model, reason = redact(reply.model), redact(reply.finish_reason)
        changed = replace(reply, text=text, model=model, finish_reason=reason)
        return replace(super().received(request, changed), asked=asked)


# A dated or numbered version of the same model: not -mini, -32k, or the -1 behind claude-opus-4.
_VERSION = re.compile(
    r"[-@:](?:latest|(?:v\d+|\d{3,}|\d\d-\d\d)(?:[-:@.]v?\d+)*)"
    r"(?:-(?:preview|exp|beta))?(?![a-z0-9])"
)
_VENDOR = re.compile(r"\A(?:[a-z]+\.)+(?=[a-z])")  # as in Bedrock's us.anthropic.claude-…
_LONGEST_NAME = 200


def is_other_model(asked: str, served: str) -> bool:
    """Return whether another model served than was asked; a dated version is no other one."""
    one, other = (
        _VERSION.sub("", _VENDOR.sub("", name[:_LONGEST_NAME].rpartition("/")[2].lower()))
        for name in (asked, served)
    )
    return bool(other) and one != other


@dataclass(frozen=True)
class UsedReply:
    """A request with the reply that it got, and the module that asked."""

    module: str
    request: Request
    reply: Reply


class TrackingClient(TroubleCounter):
    """Tracks replies: how many came, when the oldest was asked, and all of them if `keep`.

    `oldest` is in Unix seconds, infinite if no reply has a date. `others` are the models asked for
    another than which served, each with that one.
    """

    def __init__(self, inner: LMClient, *, keep: bool) -> None:
        super().__init__(inner)
        self._keep = keep
        self.at_once = bool(getattr(inner, "at_once", False))
        self.calls = 0
        self.oldest = math.inf
        self.used: list[UsedReply] = []
        self.others: set[tuple[str, str]] = set()

    @property
    def recorded(self) -> int:
        """How many of the replies were recorded ones."""
        return getattr(self._inner, "served", 0)

    def received(self, request: Request, reply: Reply) -> Reply:
        """Track the reply and return it."""
        with self._lock:
            self.calls += 1
            self.oldest = min(self.oldest, reply.asked or math.inf)
            if is_other_model(request.model, reply.model):
                self.others.add((request.model, one_line(reply.model, _LONGEST_NAME)))
            if self._keep and not keeping_step():  # a replay has the step's result
                self.used.append(UsedReply(calling_module(), request, reply))
        return super().received(request, reply)
