"""Recorded replies: keys, the file's bytes and refusals, the client, what a missing reply tells."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro import lm_module
from pytest_mipro.errors import (
    EndpointError,
    MissingKeyError,
    MissingReplyError,
    RefusalError,
    RepliesFileError,
)
from pytest_mipro.runtime.calls.context import CallContext, calling, use
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.replies.recorded import (
    RecordedClient,
    RecordedReplies,
    RecordedReply,
    day_of,
    recorded,
)
from pytest_mipro.runtime.replies.replies_file import (
    dump_replies,
    from_line,
    parse_replies,
    read_replies,
    to_line,
)
from pytest_mipro.runtime.replies.request_parts import key_of

NOON = 1774958400.0  # 2026-03-31 12:00 UTC
DEMO = (Message("user", "<text>\nold\n</text>"), Message("assistant", "OLD"))
FILE = "tests/test_desk.replies.jsonl"


@lm_module
def shout(text: str) -> str:
    """Shout."""


def request(text: str = "hi", **changes: object) -> Request:
    messages = (Message("system", "Shout."), *DEMO, Message("user", f"<text>\n{text}\n</text>"))
    return replace(Request("a/b", messages, {"temperature": 0}), **changes)  # type: ignore[arg-type]


def entry(text: str = "hi", reply: str = "HI", case: str = "test_it[1]") -> RecordedReply:
    given = Reply(reply, Usage(7, 1), 0.25, 1.5, False, "stop", "b-2026-01", NOON)
    return recorded(case, "pipeline.shout", request(text), given)


def replies(*entries: RecordedReply) -> RecordedReplies:
    return RecordedReplies(FILE, entries)


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


def test_no_file_and_no_such_module_are_told():
    assert f"nothing is recorded in {FILE}" in missing(request())
    other = replace(entry(), module="pipeline.other")
    assert f"{FILE} has no reply of this module" in missing(request("ho"), other)


def test_a_secret_in_the_inputs_is_not_told(monkeypatch):
    monkeypatch.setenv("DESK_API_KEY", "canary-4711")
    assert "canary" not in missing(request("the key is canary-4711"), entry())


# The file


def test_its_bytes_are_sorted_and_the_same_for_the_same_replies():
    entries = [entry("b", case="test_it[2]"), entry("a", case="test_it[1]"), entry("c")]
    text = dump_replies(entries)
    assert text == dump_replies(reversed(entries))
    assert parse_replies(text, "f") == sorted(entries, key=lambda reply: reply.sort_key)
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0] == {"schema_version": 2}
    assert [line["case"] for line in lines[1:]] == ["test_it[1]", "test_it[1]", "test_it[2]"]
    assert lines[1]["asked"] == "2026-03-31"


def test_no_text_of_the_request_is_in_it():
    text = dump_replies([entry("the ticket's text", "SHORT")])
    assert "ticket" not in text
    assert "Shout" not in text
    assert "OLD" not in text
    assert len(text) < 600


@given(st.text(st.characters(), max_size=40), st.text(max_size=10), st.integers(0, 3))
def test_every_text_survives(text, case, sample):
    known = recorded(case, "m", request(text, sample=sample), Reply(text, asked=NOON))
    line = to_line(known)
    assert len(line.splitlines()) == 1
    line.encode()
    assert from_line(line) == known
    # A pair of halves is the character: a reply that comes from the cache has it already.
    assert dump_replies(parse_replies(dump_replies([known]), "f")) == dump_replies([known])


def test_a_missing_file_holds_nothing(tmp_path):
    assert read_replies(tmp_path / "none.jsonl") == []


def line(**changes: object) -> str:
    return json.dumps(json.loads(to_line(entry())) | changes)


HEAD = '{"schema_version": 2}'
GOOD = to_line(entry())


@pytest.mark.parametrize(
    ("lines", "number", "told"),
    [
        ([GOOD], 1, "the first line must hold the schema_version"),
        (['{"schema_version": 3}'], 1, "schema_version is 3, this release reads 2"),
        ([HEAD, GOOD[:-1]], 2, "not JSON"),
        ([HEAD, "[]"], 2, "expected an object"),
        ([HEAD, "", '{"case": "a", "case": "b"}'], 3, "the key 'case' appears twice"),
        ([HEAD, line(headers={})], 2, "unknown key 'headers'"),
        ([HEAD, line(cost=-1)], 2, "'cost' must be a number from 0 on, or null, not -1"),
        ([HEAD, GOOD.replace("0.25", "NaN")], 2, "NaN is not a finite number"),
        ([HEAD, GOOD.replace("0.25", "1e999")], 2, "1e999 is not a finite number"),
        ([HEAD, GOOD.replace("0.25", "9" * 5000)], 2, "more than 300 digits"),
        ([HEAD, line(asked="31.3.2026")], 2, "'asked' must be a day as 2026-03-31, or null"),
        ([HEAD, line(usage=[1])], 2, "'usage' must be two whole numbers from 0 on, not [1]"),
        ([HEAD, line(text=None)], 2, "'text' must be a text, not None"),
        ([HEAD, line(request={})], 2, "the key 'model' is missing"),
        ([HEAD, "{}"], 2, "the key 'case' is missing"),
        ([HEAD, "[" * 100_000], 2, ""),
        ([HEAD, "<<<<<<< ours", GOOD], 2, "an unresolved merge conflict; keep the lines of both"),
        ([HEAD, GOOD, ">>>>>>> theirs"], 3, "an unresolved merge conflict"),
        (
            [HEAD, GOOD, line(text="other")],
            3,
            "another reply to the request of line 2; delete one of the two lines",
        ),
    ],
)
def test_a_broken_file_is_refused_by_its_line(tmp_path, lines, number, told):
    path = tmp_path / "x.replies.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RepliesFileError) as caught:
        read_replies(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{number}: ")
    assert told in text
    assert "; " in text  # the remedy
    assert "\n" not in text


def test_replies_that_an_earlier_release_changed_count_as_none(tmp_path):
    path = tmp_path / "x.replies.jsonl"
    lines = [GOOD, line(text="it is [hidden]", key="0" * 32)]
    path.write_text("\n".join([HEAD, *lines]), encoding="utf-8")
    assert len(read_replies(path)) == 2  # a model may say so
    path.write_text("\n".join(['{"schema_version": 1}', *lines]), encoding="utf-8")
    assert [reply.text for reply in read_replies(path)] == [entry().text]


def test_bytes_that_are_no_text_are_refused_by_their_line(tmp_path):
    path = tmp_path / "x.replies.jsonl"
    path.write_bytes(HEAD.encode() + b"\n\xff\n")
    with pytest.raises(RepliesFileError, match=r"f:2: not UTF-8"):
        read_replies(path, "f")


@pytest.mark.skipif(os.name != "posix", reason="folders can be opened elsewhere")
def test_what_is_no_file_is_refused(tmp_path: Path):
    with pytest.raises(RepliesFileError, match=r"f:1: can't be read"):
        read_replies(tmp_path, "f")


def test_a_merge_of_both_sides_lines_is_read():
    ours, theirs = entry("a"), entry("b")
    text = "\n".join([HEAD, to_line(ours), GOOD, HEAD, to_line(theirs), GOOD])
    merged = replies(*parse_replies(text, "f"))
    assert {reply.key for reply in merged} == {ours.key, theirs.key, entry().key}


def test_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "x.replies.jsonl"
    path.write_bytes(dump_replies([entry()]).replace("\n", "\r\n").encode())
    assert read_replies(path) == [entry()]
