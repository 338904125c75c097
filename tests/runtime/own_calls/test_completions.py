"""Calls of the legacy API for completions of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from own_case import case
from own_posts import KEY

from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.own_calls.apis.asked import messages_of, parameters_of

if TYPE_CHECKING:
    from lm_stub import Stub

    from pytest_mipro.runtime.client.contract import LMClient


def complete(server: Stub, prompt: Any) -> str:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as made:
        return made.completions.create(model="m", prompt=prompt).choices[0].text


def stream(server: Stub, prompt: Any) -> str:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as made:
        chunks = made.completions.create(model="m", prompt=prompt, stream=True)
        return "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("ask", [complete, stream])
def test_a_call_is_made_once_and_traced(ask: Any, server: Stub, client: LMClient) -> None:
    for cached in (False, True):
        with case(client) as trace:
            assert ask(server, "hi") == "user said hi"
        (call,) = trace.calls
        assert (call.text, call.usage, call.cached) == ("user said hi", Usage(7, 3), cached)
        assert call.inputs == {"messages": [{"role": "user", "content": "hi"}]}
    assert server.count == 1


@pytest.mark.parametrize(
    ("prompt", "texts", "written"),
    [
        ("hi", ["hi"], None),
        (["hi"], ["hi"], 1),
        (["hi", "you"], ["hi", "you"], 2),
        ([1, 2], ["1\n2"], None),
        ([[1, 2], [3]], ["1\n2", "3"], 2),
    ],
)
def test_each_prompt_of_a_list_has_replies_of_its_own(
    prompt: Any, texts: list[str], written: int | None
) -> None:
    body = {"model": "m", "prompt": prompt}
    assert [message.content for message in messages_of(body)] == texts
    assert parameters_of(body, "/v1/completions").get("n") == written
    if written:
        assert parameters_of({**body, "n": 3}, "/v1/completions")["n"] == 3 * written
