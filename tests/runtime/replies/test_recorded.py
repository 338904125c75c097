"""Recorded replies: what finds one, the client that answers with it, what a missing one tells."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from recorded_entries import FILE, NOON, entry, replies, request

from pytest_mipro import lm_module
from pytest_mipro.errors import EndpointError, MissingKeyError, MissingReplyError, RefusalError
from pytest_mipro.runtime.calls.context import CallContext, calling, use
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.replies.recorded import RecordedClient, RecordedReply, day_of, recorded
from pytest_mipro.runtime.replies.request_parts import key_of


@lm_module
def shout(text: str) -> str:
    """Shout."""


def ask(client: RecordedClient, asked: Request, module: str = "pipeline.shout") -> Reply:
    async def under_its_name() -> Reply:
        with calling(module):
            return await client.complete(asked)

    return loop.run(under_its_name())


def missing(asked: Request, *entries: RecordedReply, case: str = "test_it[1]") -> str:
    with pytest.raises(MissingReplyError) as caught:
        ask(RecordedClient(replies(*entries), None, case), asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The key


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "a/c"},
        {"messages": request("ho").messages},
        {"messages": request().messages[1:]},
        {"parameters": {"temperature": 1}},
        {"response_schema": {"type": "object"}},
        {"sample": 1},
    ],
)
def test_whatever_can_change_the_reply_is_in_the_key(changes):
    assert key_of(request()) == key_of(request())
    assert key_of(replace(request(), **changes)) != key_of(request())


def test_the_endpoint_is_not_in_the_key():
    one, other = (ScriptedClient(["HI"]) for _ in range(2))
    one.endpoint = lambda model: "a" * 12  # type: ignore[method-assign]
    for inner in (one, other):
        assert ask(RecordedClient(replies(entry()), inner), request()).text == "HI"
        assert not inner.requests


# The client


def test_a_recorded_reply_comes_back_as_it_was_asked():
    reply = ask(RecordedClient(replies(entry())), request())
    assert reply == Reply("HI", Usage(7, 1), 0.25, 0.0, True, "stop", "b-2026-01", NOON - 12 * 3600)
    assert day_of(reply.asked) == "2026-03-31"


def test_what_is_not_recorded_is_asked_of_the_inner_client():
    inner = ScriptedClient(lambda asked: "asked")
    client = RecordedClient(replies(entry()), inner)
    assert ask(client, request()).text == "HI"
    assert ask(client, request("ho")).text == "asked"
    assert inner.requests == [request("ho")]
    assert client.served == 1


@pytest.mark.parametrize("error", [MissingKeyError, EndpointError])
def test_without_a_model_the_error_tells_both_ways_out(error):
    class Down(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            raise error("set the environment variable B_API_KEY")

    with pytest.raises(error) as caught:
        ask(RecordedClient(replies(entry()), Down([]), "test_it[1]"), request("ho"))
    text = str(caught.value)
    assert text.startswith("set the environment variable B_API_KEY; or run `pytest --mipro-replies")
    assert "test_it[1]: LM module 'pipeline.shout' has no recorded reply" in text
    assert "the inputs (line 2 is now 'ho')" in text


def test_other_errors_of_the_inner_client_pass():
    class Filter(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            raise RefusalError("refused")

    with pytest.raises(RefusalError, match=r"^refused$"):
        ask(RecordedClient(replies(entry()), Filter([])), request("ho"))


def test_without_an_inner_client_no_loop_is_started(monkeypatch):
    seen: list[Request] = []

    class Spy(ScriptedClient):
        at_once = True

        async def complete(self, request: Request) -> Reply:
            seen.append(request)
            return Reply("HI")

    def explode() -> None:
        raise AssertionError("a loop")

    monkeypatch.setattr(loop, "background_loop", explode)
    module = shout.using(model="a/b")
    with use(CallContext(Spy([]))):
        module(text="hi")
    known = recorded("", "m", seen[0], Reply("HI", asked=NOON))
    assert RecordedClient(replies(known)).at_once
    with use(CallContext(RecordedClient(replies(known)))):
        assert module(text="hi") == "HI"
        with pytest.raises(MissingReplyError):
            module(text="ho")
    assert not RecordedClient(replies(known), ScriptedClient([])).at_once


def test_a_client_that_says_at_once_must_not_wait():
    async def waits() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="waits"):
        loop.run_at_once(waits())


# What a missing reply tells


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "a/c"}, "the model (was 'a/b')"),
        (
            {"messages": (Message("system", "Sing."), *request().messages[1:])},
            "the instruction or output format",
        ),
        (
            {"messages": (request().messages[0], request().messages[-1])},
            "the demos or the conversation",
        ),
        ({"parameters": {"temperature": 1}}, "the sampling parameters"),
        ({"response_schema": {"type": "object"}}, "the output schema"),
        ({"sample": 2}, "the sample (was 0, is 2)"),
        ({"messages": request("ho").messages}, "the inputs (line 2 is now 'ho')"),
        ({"messages": request("hi\nho").messages}, "the inputs (line 3 is now 'ho')"),
    ],
)
def test_it_names_what_changed_and_nothing_else(changes, told):
    text = missing(replace(request(), **changes), entry())
    assert text == (
        f"test_it[1]: LM module 'pipeline.shout' has no recorded reply: {FILE} has it from "
        f"before a change of {told}; run `pytest --mipro-replies=record` and commit the file"
    )


def test_inputs_that_ended_earlier_or_later_are_told():
    short = Request("a/b", (Message("user", "one"),))
    long = Request("a/b", (Message("user", "one\ntwo"),))
    known = recorded("test_it[1]", "pipeline.shout", short, Reply("x"))
    assert "line 2 is new: 'two'" in missing(long, known)
    known = recorded("test_it[1]", "pipeline.shout", long, Reply("x"))
    assert "they end after line 1" in missing(short, known)


def test_the_nearest_reply_is_compared():
    others = [entry("ho", case="test_it[2]"), entry("hu", case="test_it[3]")]
    assert "'pipeline.shout'" in missing(request("he"), *others)
    assert "none for this case or these inputs" in missing(request("he"), *others)
    # Used by several cases, it stands under the first: equal inputs find it.
    assert "the model (was 'a/b')" in missing(request("ho", model="x/y"), *others)
    # Two calls of one case: the one with fewer changes explains.
    mine = [entry("one"), replace(entry("two"), key="0" * 32)]
    asked = request("two", parameters={"temperature": 1})
    assert "change of the sampling parameters;" in missing(asked, *mine)


def test_what_was_said_before_is_the_same_request_s_or_the_case_s_own():
    mine, other = entry("hi", "HI"), entry("ho", "HO", case="test_it[2]")
    known, module = replies(mine, other), "pipeline.shout"
    assert known.said_before("test_it[2]", module, request("hi")) == mine
    changed = request("ho", parameters={"temperature": 1})
    assert known.said_before("test_it[2]", module, changed) == other
    assert known.said_before("test_it[9]", module, changed) == other  # equal inputs
    assert known.said_before("test_it[9]", module, request("new")) is None
    assert known.said_before("test_it[1]", "pipeline.other", changed) is None


def test_a_namesake_in_one_of_the_runs_hides_no_reply():
    label, asked = "pipeline.shout (a/prompts/pipeline.shout.yaml)", request("ho")
    for had, has in ((label, "pipeline.shout"), ("pipeline.shout", label)):
        client = RecordedClient(replies(replace(entry(), module=had)), None, "test_it[1]")
        with pytest.raises(MissingReplyError, match=r"from before a change of the inputs"):
            ask(client, asked, has)


def test_no_file_and_no_such_module_are_told():
    assert f"nothing is recorded in {FILE}" in missing(request())
    other = replace(entry(), module="pipeline.other")
    assert f"{FILE} has no reply of this module" in missing(request("ho"), other)


def test_a_secret_in_the_inputs_is_not_told(monkeypatch):
    monkeypatch.setenv("DESK_API_KEY", "canary-4711")
    assert "canary" not in missing(request("the key is canary-4711"), entry())
