"""Requests, their digests, usage, and the scripted client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import LMClient, Message, Request, ScriptedClient, Usage

BASE = Request("m", (Message("user", "a"),), {"temperature": 0, "seed": 1})


def test_whatever_can_change_the_reply_changes_the_digest() -> None:
    changed = [
        BASE,
        replace(BASE, model="n"),
        replace(BASE, messages=(Message("user", "b"),)),
        replace(BASE, messages=(Message("system", "a"),)),
        replace(BASE, messages=(*BASE.messages, Message("user", ""))),
        replace(BASE, parameters={"temperature": 0}),
        replace(BASE, parameters={"temperature": 0.0, "seed": 1}),
        replace(BASE, response_schema={"type": "object"}),
        replace(BASE, sample=1),
    ]
    digests = {request.digest() for request in changed} | {BASE.digest("endpoint")}
    assert len(digests) == len(changed) + 1


def test_the_order_of_parameters_does_not() -> None:
    other = replace(BASE, parameters={"seed": 1, "temperature": 0})
    assert other.digest() == BASE.digest()
    assert other.canonical_json() == (
        '{"messages":[["user","a"]],"model":"m","parameters":{"seed":1,"temperature":0},'
        '"response_schema":null,"sample":0}'
    )


@given(st.text(), st.text())
def test_different_contents_have_different_digests(one: str, other: str) -> None:
    digests = [replace(BASE, messages=(Message("user", text),)).digest() for text in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


def test_usage_adds_up() -> None:
    assert sum((Usage(1, 2), Usage(3, 4)), Usage()) == Usage(4, 6)


def test_a_script_is_a_list_or_a_function() -> None:
    listed = ScriptedClient(["one two", "three"])
    assert isinstance(listed, LMClient)
    replies = [loop.run(listed.complete(BASE)) for _ in range(2)]
    assert [reply.text for reply in replies] == ["one two", "three"]
    assert replies[0].usage == Usage(1, 2)
    with pytest.raises(EndpointError, match="the script has 2 replies, call 3 came"):
        loop.run(listed.complete(BASE))
    assert listed.requests == [BASE] * 3

    def script(request: Request) -> str:
        return request.model

    assert loop.run(ScriptedClient(script).complete(BASE)).text == "m"
    assert listed.endpoint("m") == ""


@pytest.mark.parametrize("thing", [object(), "client", lambda request: "x"])
def test_other_things_are_no_clients(thing: Any) -> None:
    assert not isinstance(thing, LMClient)
