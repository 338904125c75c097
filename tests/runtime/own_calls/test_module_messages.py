"""Own calls that send what `module.messages()` gave are the module's in the trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from lm_stub import Stub
from own_case import case

from pytest_mipro import History, Image, lm_module
from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.client.contract import LMClient


@lm_module
def queue(ticket: str) -> Literal["billing", "orders"]:
    """Choose the queue."""


@lm_module
def reply(ticket: str) -> str:
    """Answer the customer."""


@lm_module
def look(history: History, photo: Image) -> str:
    """Say what is there."""


TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.fixture
def sdk(server: Stub) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="no-key", max_retries=0) as made:
        yield made


def ask(sdk: openai.OpenAI, messages: object) -> str:
    create = sdk.chat.completions.create
    made = create(model="m", messages=messages, temperature=0)  # type: ignore[call-overload]
    return str(made.choices[0].message.content)


def test_the_call_is_the_module_s_with_inputs_and_parsed_output(
    server: Stub, client: LMClient, sdk: openai.OpenAI
) -> None:
    server.answers = lambda _: "billing"
    with case(client) as trace:
        text = ask(sdk, queue.messages(ticket="Charged twice."))
        assert queue.parse(text) == "billing"
    (call,) = trace.calls
    assert call.signature is queue.signature
    assert call.inputs == {"ticket": "Charged twice."}
    assert call.output == "billing"
    assert call.model == "m"
    assert call.parameters == {"temperature": 0}
    assert (call.requests, call.usage.prompt_tokens) == (1, 7)


def test_it_may_hold_a_conversation_and_an_image(client: LMClient, sdk: openai.OpenAI) -> None:
    photo = Image.from_bytes(b"\x89PNG\r\n\x1a\n" + bytes(999))
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    with case(client) as trace:
        ask(sdk, look.messages(talk, photo))
    (call,) = trace.calls
    assert call.signature is look.signature
    assert call.inputs == {"history": talk, "photo": photo.short}


def test_turns_of_the_pipeline_around_them_change_nothing(
    client: LMClient, sdk: openai.OpenAI
) -> None:
    policy = {"role": "system", "content": "Be kind."}
    more = {"role": "user", "content": "Also in German."}
    with case(client) as trace:
        ask(sdk, [policy, *reply.messages(ticket="Where is it?"), more])
    assert trace.calls[0].signature is reply.signature


def test_of_several_modules_each_call_is_its_own_one_s(
    server: Stub, client: LMClient, sdk: openai.OpenAI
) -> None:
    server.answers = lambda _: "orders"
    with case(client) as trace:
        first, second = queue.messages(ticket="Late."), reply.messages(ticket="Late.")
        ask(sdk, second)
        ask(sdk, first)
    assert [call.signature for call in trace.calls] == [reply.signature, queue.signature]


def test_messages_of_another_case_or_changed_ones_are_the_pipeline_s_own(
    client: LMClient, sdk: openai.OpenAI
) -> None:
    with case(client):
        earlier = reply.messages(ticket="Where is it?")
    with case(client) as trace:
        ask(sdk, earlier)
        assert trace.calls[0].own
    with case(client) as trace:
        system, user = reply.messages(ticket="Where is it?")
        changed = [system, {**user, "content": "Something else"}]
        ask(sdk, changed)
        assert trace.calls[0].own


def test_a_reply_that_can_t_be_read_is_the_module_s_error(
    server: Stub, client: LMClient, sdk: openai.OpenAI
) -> None:
    server.answers = lambda _: "no idea"
    with case(client) as trace:
        text = ask(sdk, queue.messages(ticket="Hm."))
        with pytest.raises(OutputParseError):
            queue.parse(text)
    (call,) = trace.calls
    assert call.unreadable
    assert call.output is None
    assert "test_module_messages.queue" in call.error
    assert call.text == "no idea"


def test_a_turn_that_calls_a_tool_has_no_output_and_the_last_one_has(
    client: LMClient, sdk: openai.OpenAI
) -> None:
    with case(client) as trace:
        create = sdk.chat.completions.create
        messages: list[object] = [*reply.messages(ticket="Where is it?")]
        first = create(model="m", messages=messages, tools=[TOOL]).choices[0].message  # type: ignore[call-overload]
        turn = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "Monday"}
        create(model="m", messages=[*messages, first.model_dump(), turn], tools=[TOOL])  # type: ignore[call-overload]
    tool, last = trace.calls
    assert tool.own
    assert tool.inputs["messages"][0]["role"] == "system"
    assert last.signature is reply.signature
    assert last.output == "tool said Monday"


@pytest.mark.parametrize("module", [reply, queue])
def test_a_call_of_the_tool_that_the_caller_chose_is_the_module_s(
    client: LMClient, sdk: openai.OpenAI, module: Any
) -> None:
    """So instructor asks for an answer of a form."""
    chosen = {"type": "function", "function": {"name": "look_up"}}
    with case(client) as trace:
        create, messages = sdk.chat.completions.create, module.messages(ticket="Where is it?")
        create(model="m", messages=messages, tools=[TOOL], tool_choice=chosen)  # type: ignore[call-overload]
    (call,) = trace.calls
    assert call.signature is module.signature
    assert "look_up" in call.output
    assert not call.error
    assert not call.shows_demos
