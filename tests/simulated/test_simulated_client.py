"""The in-process client: names, usage, limits."""

from __future__ import annotations

import asyncio

import pytest

from pytest_mipro.errors import UnknownModelError
from pytest_mipro.runtime.client.contract import LMClient, Message, Request
from pytest_mipro.simulated.client import SimulatedClient

MESSAGES = (Message("system", "Say what it is."), Message("user", "<a>\nOne. Two. Three.\n</a>"))


def complete(request):
    return asyncio.run(SimulatedClient().complete(request))


def test_it_is_a_client():
    assert isinstance(SimulatedClient(), LMClient)
    assert SimulatedClient().endpoint("simulated/small") == ""


def test_an_unknown_name_names_the_known_ones():
    with pytest.raises(UnknownModelError, match="simulated/small, simulated/large"):
        complete(Request("simulated/huge", MESSAGES))


def test_half_a_surrogate_pair_is_answered():
    halved = Message("user", "<a>\nOne \ud83d two \ud83dx.\n</a>")
    assert complete(Request("simulated/small", (*MESSAGES[:1], halved))).text


def test_usage_counts_four_characters_a_token():
    reply = complete(Request("simulated/small", MESSAGES))
    assert reply.usage.prompt_tokens == sum(-(-len(m.content) // 4) for m in MESSAGES)
    assert reply.usage.completion_tokens == -(-len(reply.text) // 4)
    assert reply.cost == 0.0
    assert reply.finish_reason == "stop"


def test_max_tokens_cuts_the_reply():
    reply = complete(Request("simulated/small", MESSAGES, {"max_tokens": 1}))
    assert (len(reply.text), reply.finish_reason) == (4, "length")
