"""What a prompt text's call behind a tool asks, and which calls show what no demo can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from lm_stub import Stub
from own_case import case

from pytest_mipro.runtime.client.contract import LMClient, Message
from pytest_mipro.runtime.own_calls.apis.asked import holds_media, question_of
from pytest_mipro.runtime.prompt_text import prompt_text

FUNCTION = {"name": "f", "arguments": "{}"}
CALL = {"id": "1", "type": "function", "function": FUNCTION}
TOOL_TURNS = [
    {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "1", "content": "found"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"text": "I look."}, {"type": "tool_use"}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"text": "found"}]}]},
        ]
    },
    {
        "input": [
            {"role": "user", "content": "q"},
            {"type": "reasoning", "encrypted_content": "x"},
            {"type": "function_call", "call_id": "1", **FUNCTION},
            {"type": "function_call_output", "call_id": "1", "output": "found"},
        ]
    },
    {
        "contents": [
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
            {"role": "user", "parts": [{"text": "found"}]},
        ]
    },
]


@pytest.mark.parametrize("body", TOOL_TURNS, ids=["openai", "anthropic", "responses", "gemini"])
def test_the_result_of_a_tool_follows_the_question(body: dict[str, Any]) -> None:
    assert question_of(body) == (Message("user", "q"), Message("user", "found"))


def test_a_prompt_text_s_call_behind_a_tool_asks_the_question_too(
    tmp_path: Path, server: Stub, client: LMClient
) -> None:
    path = tmp_path / "triage.md"
    path.write_text("Sort the ticket.\n")
    text = prompt_text(str(path))
    with case(client) as trace:
        messages = [{"role": "system", "content": str(text)}, *TOOL_TURNS[0]["messages"]]
        body = {"model": "m", "messages": messages}
        assert httpx.post(f"{server.url}/v1/chat/completions", json=body).is_success
    (call,) = trace.calls
    assert call.inputs == {"user_message": "q\n\nfound"}


IMAGES = [
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
    {"type": "image", "source": {"type": "base64", "data": "iVBORw0K"}},
    {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0K"},
    {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}},
]


@pytest.mark.parametrize("part", [None, *IMAGES])
def test_a_call_with_an_image_is_no_demo(
    part: Any, tmp_path: Path, server: Stub, client: LMClient
) -> None:
    path = tmp_path / "triage.md"
    path.write_text("Say what is on the photo.\n")
    text = prompt_text(str(path))
    with case(client) as trace:
        system = {"role": "system", "content": str(text)}
        parts = [{"type": "text", "text": "What?"}, *([part] if part else [])]
        demos = text.demos_as_messages()
        messages = [system, *demos, {"role": "user", "content": parts}]
        url = f"{server.url}/v1/chat/completions"
        assert httpx.post(url, json={"model": "m", "messages": messages}).is_success
    assert trace.calls[0].shows_demos is (part is None)


def test_fields_that_are_empty_are_nothing() -> None:
    """As `message.model_dump()` of OpenAI's client leaves them, here of a reply by OpenRouter."""
    empty = {"audio": None, "function_call": None, "tool_calls": None, "reasoning": "hm"}
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", **empty}]
    assert question_of({"messages": turns}) == (Message("user", "q"), Message("assistant", "a"))
    assert not holds_media({"messages": turns})


def test_so_is_one_with_the_images_of_ollama() -> None:
    assert holds_media({"messages": [{"role": "user", "content": "What?", "images": ["iVBO"]}]})
    assert holds_media({"prompt": "What?", "images": ["iVBO"]})
    assert not holds_media({"prompt": "What?"})


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "content": [{"type": "tool_result", "content": [IMAGES[1]]}]},
        {"role": "user", "content": [{"toolResult": {"content": [{"image": {"format": "png"}}]}}]},
        {"role": "user", "parts": [{"functionResponse": {"parts": [IMAGES[3]]}}]},
        {"type": "function_call_output", "output": [IMAGES[2]]},
    ],
    ids=["anthropic", "bedrock", "gemini", "responses"],
)
def test_so_is_one_behind_a_tool_that_gave_an_image(turn: dict[str, Any]) -> None:
    assert holds_media({"messages": [turn]})
