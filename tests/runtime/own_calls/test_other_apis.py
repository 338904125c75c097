"""What calls ask and answers say in APIs beside OpenAI's: Gemini, Anthropic, Ollama, Cohere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from lm_stub import Stub
from own_case import case

from pytest_mipro.runtime.client.contract import LMClient, Message, Usage
from pytest_mipro.runtime.client.prices import output_limit
from pytest_mipro.runtime.own_calls.apis.asked import messages_of, model_of, parameters_of
from pytest_mipro.runtime.own_calls.apis.reading import Reading, read_answer
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer
from pytest_mipro.runtime.prompt_text import prompt_text

GEMINI = "/v1beta/models/gemini-x:generateContent"
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
TEXT = {"type": "text", "text": "hi"}
FUNCTION = {"name": "f", "arguments": "{}"}


def read(*lines: Any, media: str = "application/json") -> Reading:
    data = "data: " if "stream" in media else ""
    body = "\n".join(f"{data}{json.dumps(line)}" for line in lines)
    return read_answer(HTTPAnswer(200, {"content-type": media}, body.encode()))


def stream(*events: Any) -> Reading:
    return read(*events, media="text/event-stream")


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction_of_gemini_is_a_message(name: str) -> None:
    turns = [("user", "a"), ("model", "b"), ("user", "c")]
    contents = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    body = {name: {"parts": [{"text": "s\n"}, {"text": "t"}]}, "contents": contents}
    wanted = [("system", "s\n\nt"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    assert messages_of(body) == tuple(Message(*each) for each in wanted)  # type: ignore[arg-type]
    assert not parameters_of(body, GEMINI)


def test_a_prompt_text_in_it_is_known_and_the_model_named(
    tmp_path: Path, server: Stub, client: LMClient
) -> None:
    """Gemini's SDK sends it so; the stub answers as OpenAI, which is another matter."""
    path = tmp_path / "triage.md"
    path.write_text("Sort the\nticket of {company}.\n")
    text = prompt_text(str(path))
    url = f"{server.url}/models/gemini-x:generateContent/completions"
    with case(client, 0, "*/models/*") as trace:
        system = {"parts": [{"text": text.format(company="Finch")}], "role": "user"}
        question = [{"role": "user", "content": "hi"}]
        body = {"systemInstruction": system, "messages": question, "model": ""}
        assert httpx.post(url, json=body).is_success
    (call,) = trace.calls
    assert (call.signature.name, call.model) == ("triage.md", "gemini-x")
    assert call.inputs == {"company": "Finch", "user_message": "hi"}


@pytest.mark.parametrize(
    ("body", "target", "model"),
    [
        ({}, GEMINI, "gemini-x"),
        ({}, "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent", "g"),
        ({}, "/openai/deployments/d/chat/completions?api-version=1", "d"),
        ({"model": "m"}, "/openai/deployments/d/chat/completions", "m"),
        ({}, "/model/amazon.nova-lite-v1/converse", "amazon.nova-lite-v1"),
        ({}, "/model/anthropic.claude-3-v1%3A0/converse", "anthropic.claude-3-v1:0"),
        ({}, "/model/anthropic.claude-3-v1:0/invoke", "anthropic.claude-3-v1:0"),
        ({}, "/v2/generate?x=1", "v2/generate"),
    ],
)
def test_the_model_may_stand_in_the_path(body: dict[str, Any], target: str, model: str) -> None:
    assert model_of(body, target) == model


def test_the_output_limit_by_its_other_names() -> None:
    assert output_limit(parameters_of({"options": {"num_predict": 7}}, "/api/chat")) == 7
    assert output_limit(parameters_of({"options": {"num_predict": -1}}, "/api/chat")) is None
    assert output_limit(parameters_of({"inferenceConfig": {"maxTokens": 8}}, "/converse")) == 8


OLLAMA = {"model": "l", "done": True, "prompt_eval_count": 5, "eval_count": 2}
COHERE = {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 9}}


@pytest.mark.parametrize(
    ("data", "why", "model"),
    [
        ({**OLLAMA, "message": {"role": "assistant", "content": "hi"}}, "stop", "l"),
        ({**OLLAMA, "response": "hi", "done_reason": "length"}, "length", "l"),
        (
            {
                "finish_reason": "COMPLETE",
                "message": {"content": [{"type": "thinking", "thinking": "hm"}, {"text": "hi"}]},
                "usage": COHERE,
            },
            "stop",
            "",
        ),
        (
            {
                "output": {"message": {"content": [{"reasoningContent": {}}, {"text": "hi"}]}},
                "stopReason": "max_tokens",
                "usage": {"inputTokens": 3, "cacheReadInputTokens": 2, "outputTokens": 2},
            },
            "length",
            "",
        ),
    ],
    ids=["ollama chat", "ollama generate", "cohere", "bedrock"],
)
def test_a_whole_answer(data: Any, why: str, model: str) -> None:
    assert read(data) == Reading("hi", Usage(5, 2), why, model)


@pytest.mark.parametrize("said", [lambda t: {"message": {"content": t}}, lambda t: {"response": t}])
def test_the_lines_of_ollama(said: Any) -> None:
    lines = [{"model": "l", **said(text), "done": False} for text in ("h", "i")]
    last = {**OLLAMA, **said(""), "done_reason": "stop"}
    media = "application/x-ndjson"
    assert read(*lines, last, media=media) == Reading("hi", Usage(5, 2), "stop", "l")
    assert read(*lines, media=media).error == "the stream ended before its last event"


def test_the_events_of_cohere() -> None:
    events = [
        {"type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
        *({"type": "content-delta", "delta": {"message": {"content": {"text": t}}}} for t in "hi"),
    ]
    end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COHERE}}
    assert stream(*events, end) == Reading("hi", Usage(5, 2))
    assert stream(*events).error == "the stream ended before its last event"


def test_a_stream_of_a_format_of_its_own_is_no_stream_that_broke_off() -> None:
    """As of text-generation-inference at an address of `mipro_lm_addresses`."""
    assert stream({"token": {"text": "h"}}, {"generated_text": "hi"}).error == ""


def chat(content: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "data",
    [
        {"content": [THOUGHT, {"type": "redacted_thinking", "data": "x"}, {"text": "hi"}]},
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "hi"}]}}]},
        chat([{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "hi"}]),
        {"content": [{"type": "server_tool_use"}, {"type": "web_search_tool_result"}, TEXT]},
        {"candidates": [{"content": {"parts": [{"executableCode": {}}, {"text": "hi"}]}}]},
    ],
    ids=["anthropic", "gemini", "mistral", "anthropic tools", "gemini tools"],
)
def test_the_model_s_thoughts_are_not_what_it_says(data: Any) -> None:
    assert read(data).text == "hi"


def test_nor_are_they_in_streams() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": "hi"}]
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    assert stream({"candidates": [candidate]}).text == "hi"
    chunks = ([{"type": "thinking", "thinking": []}], "h", [{"type": "text", "text": "i"}])
    choices = [{"choices": [{"delta": {"content": chunk}}]} for chunk in chunks]
    assert stream(*choices, {"choices": [{"delta": {}, "finish_reason": "stop"}]}).text == "hi"


def test_nor_is_what_a_provider_s_tool_is_asked_in_a_stream() -> None:
    blocks = [
        ({"type": "server_tool_use", "name": "web_search", "input": {}}, {"partial_json": "{}"}),
        ({"type": "mcp_tool_use", "name": "find", "input": {}}, {"partial_json": "{}"}),
        ({"type": "text", "text": ""}, {"text": "hi"}),
        ({"type": "tool_use", "name": "f", "input": {}}, {"partial_json": "[]"}),
    ]
    events = [
        event
        for block, delta in blocks
        for event in (
            {"type": "content_block_start", "content_block": block},
            {"type": "content_block_delta", "delta": delta},
        )
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    assert stream(*events, end).text == "hi[]"
    assert read({"content": [blocks[1][0], TEXT]}).text == "hi"


def test_the_tokens_of_gemini_s_thoughts_count() -> None:
    usage = {"promptTokenCount": 5, "thoughtsTokenCount": 40}
    candidates = [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]
    whole = {"candidates": candidates, "usageMetadata": {**usage, "candidatesTokenCount": 2}}
    assert read(whole).usage == stream(whole).usage == Usage(5, 42)
    assert read({"candidates": candidates, "usageMetadata": usage}).usage == Usage(5, 40)


def test_a_refusal_is_what_the_model_says() -> None:
    refused = {"content": None, "refusal": "I can't."}
    assert read({"choices": [{"message": refused, "finish_reason": "stop"}]}).text == "I can't."
    part = {"type": "refusal", "refusal": "I can't."}
    output = [{"type": "message", "content": [part]}]
    assert read({"output": output, "status": "completed"}).text == "I can't."


def test_a_tool_that_the_caller_chose_is_a_call_of_a_tool() -> None:
    """OpenAI ends such a turn with `stop`, as Ollama ends every call of a tool."""
    call = {"id": "1", "type": "function", "function": FUNCTION}
    message = {"content": None, "tool_calls": [call]}
    assert read({"choices": [{"message": message, "finish_reason": "stop"}]}).calls_tool
    assert read({**OLLAMA, "message": {"content": "", "tool_calls": [call]}}).calls_tool
    delta = {"choices": [{"delta": {"tool_calls": [{"index": 0, **call}]}}]}
    assert stream(delta, {"choices": [{"delta": {}, "finish_reason": "stop"}]}).calls_tool
