"""Answer one call of the pipeline's own client, as a module's call is: by the case's client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from pytest_mipro.errors import MiproError, ProgramError
from pytest_mipro.runtime.calls.context import CallContext, calling
from pytest_mipro.runtime.calls.exchange import ask
from pytest_mipro.runtime.calls.own_client import OWN_CLIENT
from pytest_mipro.runtime.calls.parameters import RECORDED
from pytest_mipro.runtime.calls.rendered_texts import Owner, owner_of
from pytest_mipro.runtime.calls.stack import project_stack
from pytest_mipro.runtime.calls.trace import ModuleCall, Trace
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Reply, Usage, note_unreadable
from pytest_mipro.runtime.client.live.endpoints import endpoint_digest
from pytest_mipro.runtime.own_calls.addresses import credentials_in, origin_of, target_of
from pytest_mipro.runtime.own_calls.apis.asked import (
    chooses_tool,
    holds_media,
    messages_of,
    model_of,
    parameters_of,
    question_of,
)
from pytest_mipro.runtime.own_calls.apis.body_credentials import without_credentials
from pytest_mipro.runtime.own_calls.apis.reading import read_answer
from pytest_mipro.runtime.own_calls.failures import world_error
from pytest_mipro.runtime.own_calls.http_call import (
    HTTPAnswer,
    HTTPCall,
    OwnRequest,
    answer_of_text,
)
from pytest_mipro.runtime.own_calls.seen import seen_context
from pytest_mipro.runtime.own_calls.sending import (
    blocking,
    from_loop,
    from_thread,
)
from pytest_mipro.runtime.prompts.prompt_file import shows_demos
from pytest_mipro.runtime.signature.text_signature import TextSignature
from pytest_mipro.runtime.text.safe_text import text_of

_REFUSED = 424  # no client tries it again
_NOT_AGAIN = {"x-should-retry": "false"}  # as SDKs read it: retries are made here


def answered(call: HTTPCall, send: Callable[[], HTTPAnswer]) -> HTTPAnswer | None:
    """Return the answer to an LM call that blocks this thread, None for a call that passes.

    `send` makes it where it has to be made. Raises what `send` raises. What this package refuses is
    an answer with status 424.
    """

    def sent(request: OwnRequest) -> OwnRequest:
        return replace(request, send=from_thread(send), urgent=_on_a_loop())

    exchange = _begun(call, sent)
    if not isinstance(exchange, _Exchange):
        return exchange
    try:
        loop.refuse_own_thread()
        with blocking(exchange.key):
            return loop.run_at_once(exchange.answer(waits=True))
    except MiproError as error:
        return exchange.failed(error)


async def answered_async(
    call: HTTPCall, send: Callable[[], Coroutine[Any, Any, HTTPAnswer]]
) -> HTTPAnswer | None:
    """Return the same, awaited on the caller's loop."""

    def sent(request: OwnRequest) -> OwnRequest:
        return replace(request, send=from_loop(send, request.digest(request.address)))

    exchange = _begun(call, sent)
    return await exchange.answer(waits=False) if isinstance(exchange, _Exchange) else exchange


def _begun(
    call: HTTPCall, sent: Callable[[OwnRequest], OwnRequest]
) -> _Exchange | HTTPAnswer | None:
    """Return the exchange of an LM call, None for a call that passes; a refusal is an answer.

    `sent` adds to the request how it is made.
    """
    try:
        context = seen_context(call)
    except MiproError as error:
        return _refusal(error)
    if context is None:
        return None
    request = sent(_request(context, call))
    stack = project_stack(sys._getframe())  # noqa: SLF001 - the documented way to the caller
    exchange = _Exchange(context, request, stack, Owner(OWN_CLIENT, {}))
    try:
        return replace(exchange, owner=_owner_of(context, request))
    except MiproError as error:
        return exchange.failed(error)


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _request(context: CallContext, call: HTTPCall) -> OwnRequest:
    body, target, origin = call.json(), target_of(call.url), origin_of(call.url)
    given, private = without_credentials({} if body is None else body)
    return OwnRequest(
        model=model_of(given, target),
        messages=messages_of(given),
        parameters=parameters_of(given, target),
        private={**private, **credentials_in(call.url, call.headers)},
        sample=context.sample,
        method=call.method,
        target=target,
        address=endpoint_digest(origin),
        origin=origin,
        body=call.text() if body is None else given,
        size=len(call.body),
    )


def _owner_of(context: CallContext, request: OwnRequest) -> Owner:
    """Return whose call it is in the trace.

    That is the module whose messages it sends, or the prompt text that it holds; else the
    pipeline's own client, its input the messages.
    """
    trace = context.trace or Trace()
    module = trace.rendered.owner_of(request.messages)
    if module is not None:
        return Owner(*module, shows_demos=shows_demos(module[0]))
    body = request.fields
    text = owner_of(question_of(body), trace.texts, context.prompts)
    if text is None:
        return Owner(OWN_CLIENT, {"messages": _shown(request)})
    return replace(text, shows_demos=text.shows_demos and not holds_media(body))


def _shown(request: OwnRequest) -> list[dict[str, str]]:
    return [{"role": each.role, "content": each.content} for each in request.messages]


@dataclass(frozen=True)
class _Exchange:
    """One call within a case."""

    context: CallContext
    request: OwnRequest
    stack: tuple[CodeType, ...]
    owner: Owner

    @property
    def trace(self) -> Trace:
        return self.context.trace or Trace()

    @property
    def key(self) -> str:
        return self.request.digest(self.request.address)

    async def answer(self, *, waits: bool) -> HTTPAnswer:
        trace, key = self.trace, self.key
        place = trace.open()
        try:
            if not waits:
                await loop.give_way()
            failing = trace.failing(key)
            if failing is None:  # else its client tries it again
                trace.count_request()
            request = replace(self.request, again=_no_answer_came(failing))
            with calling(self.owner.signature.label):
                reply = await ask(self.context.client, request, waits=waits)
        except asyncio.CancelledError:
            raise
        except MiproError as error:
            return self.failed(error, key, place)
        trace.note_failing(key, None)
        answer = answer_of_text(reply.text)
        told = read_answer(answer)
        record = self._record(reply, told.text)
        if self.owner.signature is not OWN_CLIENT:
            record = self._own(record) if told.calls_tool else self._as_module_s(record)
        trace.close(place, record)
        return answer

    def failed(self, error: MiproError, key: str = "", place: int | None = None) -> HTTPAnswer:
        """Return what the pipeline's client gets for an error; raises what its transport raised."""
        trace, world = self.trace, world_error(error)
        answer = world.answer if world is not None else None
        if isinstance(error, ProgramError):
            trace.caused = error
        elif world is None:
            trace.remember(error)
        elif answer is None or answer.status // 100 != 3:  # a redirect is the client's to follow
            trace.note_failing(key, error)
        if place is not None:
            trace.leave(place)
            if world is None or isinstance(error, ProgramError):
                trace.close(place, self._record(None, "", str(error)))
        if answer is not None:
            again = {} if self.request.urgent else _NOT_AGAIN
            return replace(answer, headers={**answer.headers, **again})
        if world is not None and world.error is not None:
            raise world.error
        return _refusal(error)

    def _own(self, record: ModuleCall) -> ModuleCall:
        """Return the call of a module that asks for a tool, and so gives no output yet.

        That of a prompt text stays its own, as a module's does where the caller chose the tool, but
        is no demo.
        """
        if isinstance(self.owner.signature, TextSignature) or chooses_tool(self.request.fields):
            return replace(record, shows_demos=False, calls_tool=True)
        return replace(record, signature=OWN_CLIENT, inputs={"messages": _shown(self.request)})

    def _as_module_s(self, record: ModuleCall) -> ModuleCall:
        """Return the call with the module's output in place of the text."""
        output = self.owner.signature.output
        try:
            value, reasoning = output.parse(record.text, cut=record.cut)
            return replace(record, output=output.dump(value), reasoning=reasoning)
        except Exception as error:  # noqa: BLE001 - a user's validator may raise anything
            with calling(self.owner.signature.label):
                note_unreadable(self.context.client, self.request)
            said = f"{self.owner.signature.title}: {text_of(error)}"
            return replace(record, output=None, error=said, unreadable=True)

    def _record(self, reply: Reply | None, output: str, error: str = "") -> ModuleCall:
        request = self.request
        sent = {name: request.parameters[name] for name in RECORDED if name in request.parameters}
        return ModuleCall(
            signature=self.owner.signature,
            model=request.model,
            parameters=sent,
            inputs=self.owner.inputs,
            output=None if reply is None else output,
            reasoning=None,
            text=output,
            usage=reply.usage if reply else Usage(),
            cost=reply.cost if reply else 0.0,
            latency=reply.latency if reply else 0.0,
            cached=bool(reply and reply.cached),
            requests=1 if reply else 0,
            error=error,
            stack=self.stack,
            cut=bool(reply and reply.finish_reason == "length"),
            shows_demos=self.owner.shows_demos,
            digest=self.key,
            sent=request if self.trace.keeps else None,
            received=reply if self.trace.keeps else None,
        )


def _no_answer_came(error: MiproError | None) -> bool:
    """Return whether a call failed by its transport: no answer tells a client not to try again."""
    world = None if error is None else world_error(error)
    return world is not None and world.error is not None


def _refusal(error: MiproError) -> HTTPAnswer:
    """Return an error of this package as an answer that LM clients show and don't try again."""
    told = {"type": "pytest_mipro", "code": type(error).__name__, "message": str(error)}
    body = json.dumps({"type": "error", "error": told}).encode()
    return HTTPAnswer(_REFUSED, {"content-type": "application/json", **_NOT_AGAIN}, body)
