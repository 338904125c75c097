"""What a call of a module raises, and what of it is remembered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, field_validator

from pytest_mipro import lm_module
from pytest_mipro.errors import (
    ConfigurationError,
    EndpointError,
    ModuleCallError,
    PromptFileError,
)
from pytest_mipro.runtime.calls.context import CallContext, use
from pytest_mipro.runtime.calls.trace import Trace
from pytest_mipro.runtime.client.contract import Request, ScriptedClient
from pytest_mipro.runtime.settings import Settings, replace_settings

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("scripted_model")


@lm_module
def summarize(ticket: str, words: int = 3) -> str:
    """Summarise the ticket."""


def echo(request: Request) -> str:
    return request.messages[-1].content.split("\n")[1]


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Odd(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def broken(cls, value: int) -> int:
        raise MuteError if value == 8 else RuntimeError(f"a bug at {value}")


@lm_module
def odd(ticket: str) -> Odd:
    """Reply."""


def test_the_world_s_error_is_remembered_though_swallowed() -> None:
    trace = Trace()
    with use(CallContext(ScriptedClient(["fine"]), trace=trace)):
        summarize("t")
        for _ in range(2):
            with pytest.raises(EndpointError):
                summarize("t")
    assert trace.broken is not None
    assert "call 2 came" in str(trace.broken)
    assert [bool(call.error) for call in trace.calls] == [False, True, True]
    assert (trace.calls[1].requests, trace.calls[1].cached) == (0, False)


def test_a_client_that_breaks_its_contract_is_the_world_s_error() -> None:
    def script(request: Request) -> str:
        raise ZeroDivisionError("a bug\nof the client at https://llm.test/?key=0123456789abcdef")

    trace = Trace()
    with use(CallContext(ScriptedClient(script), trace=trace)), pytest.raises(EndpointError) as got:
        summarize("t")
    assert "ScriptedClient broke its contract: ZeroDivisionError: a bug of" in str(got.value)
    assert str(got.value).endswith("?key=[hidden]")
    assert trace.broken is got.value


def test_a_user_s_own_error_passes_and_is_traced() -> None:
    trace = Trace()
    context = CallContext(ScriptedClient(['{"n": 7}']), trace=trace)
    with use(context), pytest.raises(RuntimeError, match="a bug at 7"):
        odd("t")
    assert (trace.calls[0].error, trace.broken) == ("a bug at 7", None)


def test_a_validator_s_error_without_a_text_is_raised_as_it_is() -> None:
    trace = Trace()
    context = CallContext(ScriptedClient(['{"n": 8}']), trace=trace)
    with use(context), pytest.raises(MuteError):
        odd("crash")
    assert trace.calls[0].error == "<MuteError without a text: its str() failed>"


@lm_module(prompt="prompts/nowhere.yaml")
def homeless(ticket: str) -> str:
    """Reply."""


@lm_module(prompt="prompts/nowhere.yaml")
async def homeless_later(ticket: str) -> str:
    """Reply."""


UNMADE: dict[str, tuple[Callable[[], object], type[Exception]]] = {
    "prompt file": (lambda: homeless("t"), PromptFileError),
    "awaited": (lambda: asyncio.run(homeless_later("t")), PromptFileError),  # type: ignore[arg-type]
    "messages": (lambda: homeless.messages("t"), PromptFileError),
    "prompt": (lambda: homeless.prompt, PromptFileError),
    "arguments": (lambda: summarize(colour="red"), ModuleCallError),  # type: ignore[call-arg]
    "arguments of messages": (summarize.messages, ModuleCallError),
    "no model": (lambda: summarize("t"), ConfigurationError),
}


@pytest.mark.parametrize("name", UNMADE)
def test_what_keeps_a_call_from_being_made_is_remembered_though_swallowed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, kind = UNMADE[name]
    if name == "no model":
        monkeypatch.delenv("MIPRO_MODEL", raising=False)
        replace_settings(Settings())
    trace = Trace()
    with use(CallContext(ScriptedClient(echo), trace=trace)), pytest.raises(kind) as raised:
        call()
    assert trace.broken is raised.value
    assert trace.calls == ()
    with use(CallContext(ScriptedClient(echo))), pytest.raises(kind):  # where nothing is traced
        call()
