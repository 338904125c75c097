"""Real clients, unchanged, against a loopback stub: each call is made once, and is the case's."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import anthropic
import httpcore
import httpx
import litellm
import openai
import pytest
from lm_stub import Stub, close_litellm_clients
from own_case import case, watching

from pytest_mipro.errors import DetachedCallError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient, OfflineClient, Reply, Request, Usage
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.own_calls.sending import SendingClient

KEY = "sk-proj-0123456789abcdefghij"
HI = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}


def openai_of(server: Stub) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)


def async_openai_of(server: Stub) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)


def chat(server: Stub) -> str:
    with openai_of(server) as made:
        reply = made.chat.completions.create(model="m", messages=HI)
    return str(reply.choices[0].message.content)


def chat_stream(server: Stub) -> str:
    with openai_of(server) as made:
        chunks = made.chat.completions.create(model="m", messages=HI, stream=True)
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def responses(server: Stub) -> str:
    with openai_of(server) as made:
        return made.responses.create(model="m", input="hi").output_text


def responses_stream(server: Stub) -> str:
    with openai_of(server) as made:
        events = made.responses.create(model="m", input="hi", stream=True)
        return "".join(each.delta for each in events if each.type == "response.output_text.delta")


async def async_chat(server: Stub) -> str:
    async with async_openai_of(server) as made:
        reply = await made.chat.completions.create(model="m", messages=HI)
    return str(reply.choices[0].message.content)


async def async_chat_stream(server: Stub) -> str:
    async with async_openai_of(server) as made:
        chunks = await made.chat.completions.create(model="m", messages=HI, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])


def messages(server: Stub) -> str:
    with anthropic.Anthropic(base_url=server.url, api_key=KEY) as made:
        return made.messages.create(model="m", max_tokens=9, messages=HI).content[0].text


def messages_stream(server: Stub) -> str:
    with (
        anthropic.Anthropic(base_url=server.url, api_key=KEY) as made,
        made.messages.stream(model="m", max_tokens=9, messages=HI) as stream,
    ):
        return "".join(stream.text_stream)


async def async_messages(server: Stub) -> str:
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY) as made:
        return (await made.messages.create(model="m", max_tokens=9, messages=HI)).content[0].text


def _litellm(server: Stub, **more: Any) -> dict[str, Any]:
    base = {"api_base": f"{server.url}/v1", "api_key": KEY}
    return {**base, "model": "openai/m", "messages": HI, **more}


def litellm_sync(server: Stub) -> str:
    return str(litellm.completion(**_litellm(server)).choices[0].message.content)


def litellm_stream(server: Stub) -> str:
    chunks = litellm.completion(stream=True, **_litellm(server))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


async def litellm_async(server: Stub) -> str:
    return str((await litellm.acompletion(**_litellm(server))).choices[0].message.content)


async def litellm_async_stream(server: Stub) -> str:
    chunks = await litellm.acompletion(stream=True, **_litellm(server))
    return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


async def litellm_anthropic(server: Stub) -> str:
    sent = _litellm(server, model="anthropic/m", api_base=server.url)
    return str((await litellm.acompletion(**sent)).choices[0].message.content)


def plain_httpx(server: Stub) -> str:
    body = {"model": "m", "messages": HI}
    answer = httpx.post(f"{server.url}/v1/chat/completions?api_key={KEY}", json=body)
    return str(answer.json()["choices"][0]["message"]["content"])


async def plain_aiohttp(server: Stub) -> str:
    body = {"model": "m", "messages": HI}
    url = f"{server.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.content_type == "application/json"
        return str((await answer.json())["choices"][0]["message"]["content"])


def answer_of(ask: Callable[[Stub], Any], server: Stub) -> str:
    """Return what a client of `CLIENTS` gets, on a loop of its own where it is awaited."""
    if not inspect.iscoroutinefunction(ask):
        try:
            return str(ask(server))
        finally:
            close_litellm_clients()

    async def run() -> str:
        try:
            return str(await ask(server))
        finally:
            if ask.__name__.startswith("litellm"):
                await litellm.close_litellm_async_clients()
                litellm.in_memory_llm_clients_cache.flush_cache()

    return asyncio.run(run())


CLIENTS: tuple[Callable[[Stub], Any], ...] = (
    *(chat, chat_stream, responses, responses_stream, async_chat, async_chat_stream),
    *(messages, messages_stream, async_messages, plain_httpx, plain_aiohttp),
    *(litellm_sync, litellm_stream, litellm_async, litellm_async_stream, litellm_anthropic),
)


@pytest.mark.parametrize("ask", CLIENTS, ids=lambda ask: ask.__name__)
def test_a_call_is_made_once_and_traced(
    ask: Callable[[Stub], Any], server: Stub, client: LMClient
) -> None:
    before = answer_of(ask, server)
    assert "said hi" in before
    with case(client) as trace:
        first = answer_of(ask, server)
    with case(client) as again:
        second = answer_of(ask, server)
    assert (first, second, server.count) == (before, before, 2)
    (live,), (kept,) = trace.calls, again.calls
    assert (live.text.split(), live.usage) == (before.split(), Usage(7, 3))
    assert (kept.text, kept.usage) == (live.text, live.usage)
    assert (live.cached, kept.cached, live.model, live.own) == (False, True, "m", True)
    assert live.inputs == {"messages": HI}
    assert ask.__name__ in [code.co_name for code in live.stack]
    assert trace.broken is again.broken is None


def test_embeddings_are_calls_without_output(server: Stub, client: LMClient) -> None:
    for _ in range(2):
        with case(client) as trace, openai_of(server) as sdk:
            made = sdk.embeddings.create(model="e", input="hi")
        assert made.data[0].embedding == [0.5, 0.25]
        assert trace.calls[0].usage == Usage(7, 0)
    assert server.count == 1


def test_tools_and_a_second_turn(server: Stub, client: LMClient) -> None:
    for _ in range(2):
        with case(client) as trace, openai_of(server) as sdk:
            create = sdk.chat.completions.create
            first = create(model="m", messages=HI, tools=[TOOL]).choices[0].message
            (call,) = first.tool_calls or ()
            turn = {"role": "tool", "tool_call_id": call.id, "content": "sent on Monday"}
            last = create(model="m", messages=[*HI, first.model_dump(), turn], tools=[TOOL])
        assert last.choices[0].message.content == "tool said sent on Monday"
        assert "look_up" in trace.calls[0].text
    assert server.count == 2


def test_calls_with_equal_messages_and_other_fields_have_other_digests(
    server: Stub, client: LMClient
) -> None:
    with case(client) as trace, openai_of(server) as made:
        made.chat.completions.create(model="m", messages=HI)
        made.chat.completions.create(model="m", messages=HI, user="another")
        made.chat.completions.create(model="m", messages=HI)
    first, other, again = trace.calls
    assert first.inputs == other.inputs
    assert first.digest == again.digest != other.digest


def test_a_sample_of_its_own_is_asked_anew(server: Stub, client: LMClient) -> None:
    for sample in (0, 1, 0, 1):
        with case(client, sample):
            chat(server)
    assert server.count == 2


def test_equal_calls_of_gather_are_one(server: Stub, client: LMClient) -> None:
    server.wait = 0.05

    async def ask() -> list[Any]:
        async with async_openai_of(server) as sdk:
            create = sdk.chat.completions.create
            return await asyncio.gather(*(create(model="m", messages=HI) for _ in range(4)))

    with case(client) as trace:
        made = asyncio.run(ask())
    assert {each.choices[0].message.content for each in made} == {"user said hi"}
    assert (server.count, len(trace.calls)) == (1, 4)
    assert sum(not call.cached for call in trace.calls) == 1


def test_threads_with_the_case_s_context_are_the_case_s(server: Stub, client: LMClient) -> None:
    with case(client) as trace, ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(contextvars.copy_context().run, chat, server) for _ in range(2)]
        assert [run.result() for run in runs] == ["user said hi"] * 2
    assert (server.count, len(trace.calls)) == (1, 2)


def test_a_thread_without_it_is_refused_and_told(server: Stub, client: LMClient) -> None:
    made = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY)
    create = made.chat.completions.create
    with watching(client) as strays, made, ThreadPoolExecutor(1) as pool:
        failed = pool.submit(create, model="m", messages=HI).exception()
        other = pool.submit(httpx.post, f"{server.url}/v1/embeddings", json={"input": "x"})
        assert isinstance(other.exception(), httpx.HTTPError)  # no LM call: it passes
    assert isinstance(failed, openai.APIStatusError)
    (kept,) = strays.taken()
    assert isinstance(kept, DetachedCallError)
    for text in (str(failed), str(kept)):
        assert "own client was called in a thread without the case's context" in text


def test_what_this_package_asks_for_no_case_passes(server: Stub, client: LMClient) -> None:
    """As the requests for proposals: a study makes them between its cases."""

    async def asked() -> str:
        return await litellm_async(server)

    with case(client) as trace:
        reply = contextvars.Context().run(loop.run, asked())
    assert (reply, server.count, trace.calls) == ("user said hi", 1, ())


class Threaded(OfflineClient):
    """A client that makes its calls in threads, as litellm does for some providers."""

    def __init__(self, server: Stub) -> None:
        self._server = server

    async def complete(self, request: Request) -> Reply:
        return Reply(await asyncio.to_thread(plain_httpx, self._server))


def test_a_client_of_the_run_may_call_in_threads(server: Stub, client: LMClient) -> None:
    asker = SendingClient(Threaded(server), LiveSettings())
    with case(client) as trace:
        ask = asker.complete(Request("m", ()))
        reply = contextvars.Context().run(loop.run, ask)
    assert (reply.text, server.count, trace.calls) == ("user said hi", 1, ())


def test_outside_of_a_case_nothing_is_wrapped(server: Stub, client: LMClient) -> None:
    methods = [httpcore.ConnectionPool.handle_request, aiohttp.BaseConnector.connect]
    with case(client):
        assert httpcore.ConnectionPool.handle_request is not methods[0]
    assert [httpcore.ConnectionPool.handle_request, aiohttp.BaseConnector.connect] == methods
    assert chat(server) == chat(server)
    assert server.count == 2


def test_other_addresses_pass_untouched(server: Stub, client: LMClient) -> None:
    with case(client, 0, f"!{server.url.removeprefix('http://').partition(':')[0]}/*") as trace:
        chat(server)
        chat(server)
    assert (server.count, trace.calls) == (2, ())
