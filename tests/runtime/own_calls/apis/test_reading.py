"""What calls ask and answers say, in the formats that there are."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_mipro import Image
from pytest_mipro.runtime.client.contract import Message, Usage
from pytest_mipro.runtime.client.prices import output_limit
from pytest_mipro.runtime.own_calls.apis.asked import messages_of, parameters_of
from pytest_mipro.runtime.own_calls.apis.reading import Reading, read_answer
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer

TOOL_CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (
            {"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "u"}]},
            [("system", "s"), ("user", "u")],
        ),
        (
            {
                "system": [{"type": "text", "text": "s"}],
                "messages": [{"role": "user", "content": "u"}],
            },
            [("system", "s"), ("user", "u")],
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}
                ]
            },
            [("user", "a\nb")],
        ),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}]},
            [("assistant", json.dumps(TOOL_CALL, sort_keys=True))],
        ),
        ({"messages": [{"role": "tool", "content": "found"}]}, [("user", "found")]),
        ({"instructions": "s", "input": "u"}, [("system", "s"), ("user", "u")]),
        ({"input": [{"role": "user", "content": "u"}]}, [("user", "u")]),
        ({"input": ["one", "two"]}, [("user", "one"), ("user", "two")]),
        ({"contents": [{"role": "user", "parts": [{"text": "u"}]}]}, [("user", "u")]),
        ({"prompt": "u"}, [("user", "u")]),
        ({}, []),
    ],
)
def test_messages(body: dict[str, Any], messages: list[tuple[Any, str]]) -> None:
    assert messages_of(body) == tuple(Message(*each) for each in messages)


def test_parameters_know_the_output_limit() -> None:
    chat = {"model": "m", "messages": [], "max_completion_tokens": 7, "temperature": 0}
    assert output_limit(parameters_of(chat, "/v1/chat/completions")) == 7
    assert "messages" not in parameters_of(chat, "/v1/chat/completions")
    assert output_limit(parameters_of({"max_output_tokens": 8}, "/v1/responses")) == 8
    assert output_limit(parameters_of({"input": "x"}, "/v1/embeddings?v=1")) == 0
    assert output_limit(parameters_of({"model": "m"}, "/v1/responses")) is None
    assert output_limit(parameters_of({**chat, "n": 3}, "/v1/chat/completions")) == 21
    gemini = {"contents": [], "generationConfig": {"maxOutputTokens": 9, "candidateCount": 2}}
    assert output_limit(parameters_of(gemini, "/v1/models/g:generateContent")) == 18


def read(data: Any) -> Reading:
    return read_answer(
        HTTPAnswer(200, {"content-type": "application/json"}, json.dumps(data).encode())
    )


def read_stream(*events: Any, end: str = "") -> Reading:
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + end
    return read_answer(HTTPAnswer(200, {"content-type": "text/event-stream"}, text.encode()))


def chat(content: str | None, why: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"message": {"content": content, **message}, "finish_reason": why}
    return {
        "model": "m-1",
        "choices": [choice],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }


GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
}
OUTPUT = [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]
COUNTS = {"input_tokens": 5, "output_tokens": 2}
TEXT = [{"type": "text", "text": "hi"}]
CALLED = json.dumps(TOOL_CALL, sort_keys=True)


def anthropic(content: list[Any], why: str) -> dict[str, Any]:
    return {"model": "c", "content": content, "stop_reason": why, "usage": COUNTS}


def response(status: str) -> dict[str, Any]:
    return {"model": "r", "output": OUTPUT, "status": status, "usage": COUNTS}


@pytest.mark.parametrize(
    ("data", "text", "why", "model"),
    [
        (chat("hi"), "hi", "stop", "m-1"),
        (chat("hi", "length"), "hi", "length", "m-1"),
        (chat(None, "tool_calls", tool_calls=[TOOL_CALL]), CALLED, "stop", "m-1"),
        (chat("", "content_filter"), "", "content_filter", "m-1"),
        (anthropic(TEXT, "end_turn"), "hi", "stop", "c"),
        (anthropic([], "max_tokens"), "", "length", "c"),
        (response("completed"), "hi", "stop", "r"),
        (response("incomplete"), "hi", "length", "r"),
        (GEMINI, "hi", "stop", ""),
    ],
)
def test_a_whole_answer(data: Any, text: str, why: str, model: str) -> None:
    assert read(data) == Reading(text, Usage(5, 2), why, model, calls_tool=text == CALLED)


@pytest.mark.parametrize(
    "data",
    [
        anthropic([{"type": "tool_use", "name": "f", "input": {}}], "tool_use"),
        {"output": [{"type": "function_call", "name": "f"}], "status": "completed"},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]},
    ],
)
def test_a_call_of_a_tool_is_told(data: Any) -> None:
    assert read(data).calls_tool
    assert not read(anthropic(TEXT, "end_turn")).calls_tool


def test_a_call_of_a_tool_is_told_in_a_stream_of_gemini() -> None:
    part = {"functionCall": {"name": "f"}}
    assert read_stream(
        {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
    ).calls_tool


def test_cached_prompt_tokens_of_anthropic_count() -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 3, "cache_creation_input_tokens": None}
    assert read({"content": [], "usage": {**usage, "output_tokens": 2}}).usage == Usage(4, 2)


def test_an_error_in_place_of_a_reply() -> None:
    assert read({"error": {"message": "overloaded"}}).error == "overloaded"
    assert read({"error": None, **chat("hi")}).error == ""
    assert read_stream({"type": "error", "error": {"message": "overloaded"}}).error == "overloaded"


def test_streams_end_or_are_none() -> None:
    part = {"model": "m", "choices": [{"delta": {"content": "h"}}]}
    last = {"choices": [{"delta": {"content": "i"}, "finish_reason": "length"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    assert read_stream(part, last, usage) == Reading("hi", Usage(5, 2), "length", "m")
    assert read_stream(part, end="data: [DONE]\n\n").error == ""
    assert read_stream(part).error == "the stream ended before its last event"


def test_a_stream_of_tool_calls() -> None:
    calls = [{"function": {"name": "f", "arguments": ""}}, {"function": {"arguments": '{"a": 1}'}}]
    events = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    ended = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    assert read_stream(*events, ended).text == 'f{"a": 1}'


def test_a_stream_of_anthropic() -> None:
    events = [
        {
            "type": "message_start",
            "message": {"model": "c", "usage": {**COUNTS, "output_tokens": 0}},
        },
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
        {
            "type": "content_block_delta",
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]
    assert read_stream(*events) == Reading("hi{}", Usage(5, 2), "stop", "c", calls_tool=True)


def test_a_stream_of_responses() -> None:
    delta = {"type": "response.output_text.delta", "delta": "hi"}
    done = {"type": "response.completed", "response": response("completed")}
    assert read_stream(delta, done) == Reading("hi", Usage(5, 2), "stop", "r")
    assert read_stream(delta).error == "the stream ended before its last event"


def test_a_stream_may_hold_what_python_takes_for_a_line_end() -> None:
    part = {"model": "m", "choices": [{"delta": {"content": "a\x0b\u2028"}}]}
    last = {"choices": [{"delta": {"content": "\x85b"}, "finish_reason": "stop"}], "usage": COUNTS}
    assert read_stream(part, last).text == "a\x0b\u2028\x85b"
    body = "\r".join(f"data: {json.dumps(each, ensure_ascii=False)}\r" for each in (part, last))
    answer = HTTPAnswer(200, {"content-type": "text/event-stream"}, body.encode())
    assert read_answer(answer) == Reading("a\x0b\u2028\x85b", Usage(5, 2), "stop", "m")


_names = st.sampled_from(
    [
        *("choices", "message", "delta", "content", "tool_calls", "function", "finish_reason"),
        *("usage", "input_tokens", "response", "output", "type", "candidates", "error", "parts"),
    ]
)
_scalars = st.none() | st.integers() | st.sampled_from(["", "x", "message", "response.completed"])
_values = st.recursive(
    _scalars, lambda value: st.lists(value) | st.dictionaries(_names, value), max_leaves=12
)


@settings(max_examples=25)
@given(st.dictionaries(_names, _values))
@example({"choices": [{"message": "hi"}]})
@example({"choices": [{"delta": "hi"}], "usage": [1]})
@example({"usage": {"input_tokens": "7"}})
@example({"candidates": [{"content": "hi"}]})
def test_json_of_another_format_is_no_error_of_this_package(data: dict[str, Any]) -> None:
    assert isinstance(read(data), Reading)
    assert isinstance(read_stream(data), Reading)
    assert isinstance(messages_of(data), tuple)


@pytest.mark.parametrize(
    ("media", "body", "text"),
    [
        ("application/json", '{"embedding": [0.1, 0.2]}', ""),
        ("application/json", "[[0.1, 0.2]]", ""),
        ("application/json", '{"text": "of a house"}', ""),
        ("application/json", '{"id": "r", "status": "completed", "output": []}', ""),
        ("application/json", '{"promptFeedback": {"blockReason": "SAFETY"}}', ""),
        ("text/plain", 'data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: [DONE]\n\n', "a"),
        ("", 'data: {"choices": [{"text": "a"}]}\n\ndata: [DONE]\n\n', "a"),
        ("Text/Event-Stream", 'data: {"choices": [{"text": "a"}]}\n\ndata: [DONE]\n\n', "a"),
        (
            "application/x-ndjson",
            '{"choices": [{"text": "a"}]}\n{"choices": [{"text": "b"}]}\n',
            "ab",
        ),
    ],
)
def test_any_json_but_that_of_an_error_is_a_reply(media: str, body: str, text: str) -> None:
    told = read_answer(HTTPAnswer(200, {"content-type": media}, body.encode()))
    assert (told.known, told.error, told.text) == (True, "", text)


@pytest.mark.parametrize("body", ["<html>busy</html>", "{}", '{"detail": "x"}', '{"choices": []}'])
def test_a_page_is_no_reply(body: str) -> None:
    assert not read_answer(HTTPAnswer(200, {"content-type": "text/html"}, body.encode())).known


def test_a_list_of_events_is_a_stream() -> None:
    """As Gemini's `streamGenerateContent` answers without `alt=sse`."""
    events = [
        {"candidates": [{"content": {"parts": [{"text": text}]}}], "usageMetadata": usage}
        for text, usage in (("a ", {}), ("b", {"promptTokenCount": 5, "candidatesTokenCount": 2}))
    ]
    answer = HTTPAnswer(200, {"content-type": "application/json"}, json.dumps(events).encode())
    assert read_answer(answer) == Reading("a b", Usage(5, 2))


@pytest.mark.parametrize("body", [b"", b"not JSON", b"\xff"])
def test_what_is_of_no_known_format_says_nothing(body: bytes) -> None:
    assert read_answer(HTTPAnswer(200, {}, body)) == Reading(known=False)


DATA = "iVBORw0K" * 1000
SHOWN = f"[6.0 kB, {hashlib.sha256(DATA.encode()).hexdigest()[:12]}]"
URL = f"data:image/png;base64,{DATA}"


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ({"type": "image_url", "image_url": {"url": URL}}, Image(URL).short),
        (
            {"type": "image", "source": {"type": "base64", "data": DATA}},
            json.dumps({"source": {"data": SHOWN, "type": "base64"}, "type": "image"}),
        ),
        ({"inline_data": {"data": DATA}}, json.dumps({"inline_data": {"data": SHOWN}})),
    ],
)
def test_an_image_is_shown_by_its_size(part: dict[str, Any], shown: str) -> None:
    turn = {"role": "user", "content": [{"type": "text", "text": "What?"}, part]}
    (message,) = messages_of({"messages": [turn]})
    assert message.content == f"What?\n{shown}"
