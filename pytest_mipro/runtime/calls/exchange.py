"""The LM calls of one module call: at most two, the second with the first one's error shown.

An exchange runs where its caller is: rendering, parsing and the trace in the caller's thread, and
so is a reply that the client has at hand. The client itself is awaited on the background loop.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_mipro.errors import EndpointError, MiproError, OutputParseError
from pytest_mipro.runtime.calls.context import ModuleCall, calling, remembering
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Usage, at_hand
from pytest_mipro.runtime.prompts.render import corrective_messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import CodeType

    from pytest_mipro.runtime.calls.context import Trace
    from pytest_mipro.runtime.client.contract import LMClient, Message, Reply, Request
    from pytest_mipro.runtime.signature.signature import Signature

    Ask = Callable[[LMClient, Request], Awaitable[Reply]]


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
    """What came back so far, for the trace."""

    def __init__(self, call: Call, ask: Ask) -> None:
        self._call = call
        self._ask = ask
        self.replies: list[Reply] = []

    async def ask(self, messages: tuple[Message, ...]) -> Reply:
        call = self._call
        if call.trace:
            call.trace.count_request()
        with calling(call.signature.name):
            reply = await self._ask(call.client, replace(call.request, messages=messages))
        self.replies.append(reply)
        return reply

    async def value(self) -> tuple[Any, str | None]:
        """Return (output, reasoning); raises OutputParseError if the second reply is wrong too."""
        parse = self._call.signature.output.parse
        reply = await self.ask(self._call.request.messages)
        try:
            return parse(reply.text)
        except OutputParseError as error:
            wrong = corrective_messages(reply.text, error)
        reply = await self.ask((*self._call.request.messages, *wrong))
        try:
            return parse(reply.text)
        except OutputParseError as error:
            cut = " (it was cut at the output limit)" if reply.finish_reason == "length" else ""
            raise OutputParseError(
                f"LM module {self._call.signature.name!r}: the reply can't be used, also after one "
                f"correction: {error}{cut}"
            ) from None

    def record(self, output: Any, reasoning: str | None, error: str) -> ModuleCall:
        """Return what the trace keeps of the call."""
        costs = [reply.cost for reply in self.replies]
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
        )


def execute(call: Call) -> Any:
    """Return the parsed output of a call, and record the call in its trace; this thread waits.

    Raises ProgramError for a reply that can't be used, InfrastructureError where the endpoint
    fails.
    """
    with remembering(call.trace):
        loop.refuse_own_thread()
    return loop.run_at_once(_execute(call, _ask_waiting))


async def execute_async(call: Call) -> Any:
    """Do as `execute`, awaited in the caller's own loop."""
    return await _execute(call, _ask_awaiting)


async def _execute(call: Call, ask: Ask) -> Any:
    exchange = _Exchange(call, ask)
    try:
        value, reasoning = await exchange.value()
    except CancelledError:  # Ctrl-C: no end of the call
        raise
    except Exception as error:  # also what a validator of the user's raises
        if call.trace:
            call.trace.remember(error)
            call.trace.close(call.place, exchange.record(None, None, str(error)))
        raise
    if call.trace:
        output = call.signature.output.dump(value)
        call.trace.close(call.place, exchange.record(output, reasoning, ""))
    return value


async def _ask_waiting(client: LMClient, request: Request) -> Reply:
    reply = _at_hand(client, request)
    if reply is not None:
        return reply
    answer = _complete(client, request)
    return await answer if _answers_at_once(client) else loop.run(answer)


async def _ask_awaiting(client: LMClient, request: Request) -> Reply:
    reply = _at_hand(client, request)
    if reply is not None:
        return reply
    answer = _complete(client, request)
    return await (answer if _answers_at_once(client) else loop.run_async(answer))


def _answers_at_once(client: LMClient) -> bool:
    return bool(getattr(client, "at_once", False))  # no loop: starting one opens a socket pair


def _at_hand(client: LMClient, request: Request) -> Reply | None:
    try:
        return at_hand(client, request)
    except MiproError:
        raise
    except Exception as error:
        raise _broken(client, error) from error


async def _complete(client: LMClient, request: Request) -> Reply:
    try:
        return await client.complete(request)
    except MiproError:
        raise
    except Exception as error:
        raise _broken(client, error) from error


def _broken(client: LMClient, error: Exception) -> EndpointError:
    return EndpointError(
        f"the client {type(client).__name__} broke its contract: "
        f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    )
