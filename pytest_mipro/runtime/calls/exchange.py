"""Make the LM calls of one module call: at most two, the second shows the model its error.

Rendering, parsing, tracing and replies at hand run in the caller's thread; the client itself is
awaited on the background loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from pytest_mipro.errors import EndpointError, JudgeReplyError, MiproError, OutputParseError
from pytest_mipro.runtime.calls.context import calling, remembering
from pytest_mipro.runtime.calls.trace import ModuleCall, Trace
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import (
    LMClient,
    Message,
    Reply,
    Request,
    Usage,
    at_hand,
    note_unreadable,
)
from pytest_mipro.runtime.prompts.prompt_file import shows_demos
from pytest_mipro.runtime.prompts.render import corrective_messages
from pytest_mipro.runtime.signature.signature import Signature
from pytest_mipro.runtime.text.redaction import one_line
from pytest_mipro.runtime.text.safe_text import text_of


@dataclass(frozen=True)
class Call:
    """One call, bound and rendered."""

    signature: Signature
    client: LMClient
    request: Request
    inputs: Mapping[str, Any]
    trace: Trace | None
    place: int
    stack: tuple[CodeType, ...]


class _Exchange:
    def __init__(self, call: Call, waits: bool) -> None:
        self._call = call
        self._waits = waits
        self._last = call.request
        self._received: Reply | None = None
        self.replies: list[Reply] = []

    async def ask(self, messages: tuple[Message, ...]) -> Reply:
        call = self._call
        if call.trace:
            call.trace.count_request()
        with calling(call.signature.label):
            self._last, self._received = replace(call.request, messages=messages), None
            reply = self._received = await ask(call.client, self._last, waits=self._waits)
        self.replies.append(reply)
        return reply

    async def value(self) -> tuple[Any, str | None]:
        """Return (output, reasoning); raises OutputParseError if the second reply is wrong too."""
        parse = self._call.signature.output.parse
        reply = await self.ask(self._call.request.messages)
        try:
            return parse(reply.text, cut=reply.finish_reason == "length")
        except OutputParseError as error:
            wrong = corrective_messages(reply.text, error)
        reply = await self.ask((*self._call.request.messages, *wrong))
        try:
            return parse(reply.text, cut=reply.finish_reason == "length")
        except OutputParseError as error:
            with calling(self._call.signature.label):
                note_unreadable(self._call.client, self._last)
            raise self._unusable(error, reply) from None

    def _unusable(self, error: OutputParseError, reply: Reply) -> MiproError:
        name = self._call.signature.title
        cut = " (it was cut at the output limit)" if reply.finish_reason == "length" else ""
        said = f"can't be used, also after one correction: {error}{cut}"
        if _judges(self._call):
            return JudgeReplyError(f"{name} judges, and its reply {said}; the case has no score")
        return OutputParseError(f"{name}: the reply {said}")

    def record(
        self, output: Any, reasoning: str | None, error: str, *, unreadable: bool = False
    ) -> ModuleCall:
        costs = [reply.cost for reply in self.replies]
        keeps = self._call.trace is not None and self._call.trace.keeps
        return ModuleCall(
            signature=self._call.signature,
            model=self._call.request.model,
            parameters=self._call.request.parameters,
            inputs=self._call.inputs,
            output=output,
            reasoning=reasoning,
            text=self.replies[-1].text if self.replies else "",
            usage=sum((reply.usage for reply in self.replies), Usage()),
            cost=None if None in costs else sum(cost for cost in costs if cost is not None),
            latency=sum(reply.latency for reply in self.replies),
            cached=bool(self.replies) and all(reply.cached for reply in self.replies),
            requests=len(self.replies),
            error=error,
            stack=self._call.stack,
            cut=bool(self.replies) and self.replies[-1].finish_reason == "length",
            unreadable=unreadable,
            shows_demos=shows_demos(self._call.signature),
            sent=self._last if keeps else None,
            received=self._received if keeps else None,
        )


def _judges(call: Call) -> bool:
    """Return whether the test calls a frozen module beside its pipeline, as a metric does.

    Of a pipeline's functions, only the test is common to both.
    """
    if call.signature.optimize or call.trace is None:
        return False
    calls = (other for other in call.trace.calls if other.signature.optimize)
    return not {code for other in calls for code in other.stack[1:]} & set(call.stack[1:])


def execute(call: Call) -> Any:
    """Return the parsed output of a call and record it in the trace; this thread waits.

    Raises ProgramError for a reply that can't be used, InfrastructureError where the endpoint
    fails.
    """
    with remembering(call.trace):
        loop.refuse_own_thread()
    return loop.run_at_once(_execute(call, waits=True))


async def execute_async(call: Call) -> Any:
    """Do the same as `execute`, awaited in the caller's own loop."""
    return await _execute(call, waits=False)


async def _execute(call: Call, *, waits: bool) -> Any:
    exchange = _Exchange(call, waits)
    if call.trace and not waits:
        await loop.give_way()
    try:
        value, reasoning = await exchange.value()
    except CancelledError:  # Ctrl-C does not end the call
        raise
    except Exception as error:  # a user's validator may raise anything
        if call.trace:
            call.trace.remember(error)
            unreadable = isinstance(error, OutputParseError)
            ended = exchange.record(None, None, text_of(error), unreadable=unreadable)
            call.trace.close(call.place, ended)
        raise
    if call.trace:
        output = call.signature.output.dump(value)
        call.trace.close(call.place, exchange.record(output, reasoning, ""))
    return value


async def ask(
    client: LMClient,
    request: Request,
    *,
    waits: bool,
    run: Callable[[Coroutine[Any, Any, Reply]], Reply] = loop.run,
) -> Reply:
    """Return the client's reply: one at hand in this thread, else awaited on the background loop.

    With `waits` this thread waits, by `run`, and the coroutine never does. Raises MiproError alone.
    """
    with _contract_of(client):
        reply = at_hand(client, request)
    if reply is not None:
        return reply
    answer = _complete(client, request)
    if getattr(client, "at_once", False):  # starting the loop would open a socket pair
        return await answer
    return run(answer) if waits else await loop.run_async(answer)


async def _complete(client: LMClient, request: Request) -> Reply:
    with _contract_of(client):
        return await client.complete(request)


@contextmanager
def _contract_of(client: LMClient) -> Iterator[None]:
    """Turn what a client must not raise into an EndpointError."""
    try:
        yield
    except MiproError:
        raise
    except Exception as error:
        raise EndpointError(
            f"the client {type(client).__name__} broke its contract: "
            f"{type(error).__name__}: {one_line(text_of(error), 200)}"
        ) from error
