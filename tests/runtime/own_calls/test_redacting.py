"""What an answer says is redacted, however JSON and streams write it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pytest_mipro.runtime.own_calls.apis.reading import read_answer
from pytest_mipro.runtime.own_calls.http_call import HTTPAnswer, answer_of_text, text_of_answer
from pytest_mipro.runtime.own_calls.redacting import redacted_reply

ACCOUNT = "1234-5678"


def redact(text: str) -> str:
    return re.sub(r"\d{4}-\d{4}|Müller", "[hidden]", text)


def answer(body: str, media: str = "application/json") -> str:
    return text_of_answer(HTTPAnswer(200, {"content-type": media}, body.encode()))


def stream(*events: Any) -> str:
    lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return answer(f"{lines}data: [DONE]\n\n", "text/event-stream")


def said(text: str) -> str:
    return read_answer(answer_of_text(text)).text


def chat(**delta: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def calling(arguments: str) -> dict[str, object]:
    function = {"name": None, "arguments": arguments}
    return chat(tool_calls=[{"index": 0, "function": function}])


STREAMS = [
    [chat(content="of "), chat(content="1234-"), chat(content="5678, M"), chat(content="üller")],
    [calling('{"account": "12'), calling('34-5678 Müller"}')],
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("of 12", "34-56", "78, Müll", "er")
    ],
    [
        {"type": "response.output_text.delta", "item_id": "i", "delta": "of 1234"},
        {"type": "response.output_text.delta", "item_id": "i", "delta": "-5678, Müller"},
        {"type": "response.output_text.done", "item_id": "i", "text": "of 1234-5678, Müller"},
    ],
    [
        {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]}
        for text in ("of 1234-", "5678, Müller")
    ],
    [
        {"type": "content-delta", "delta": {"message": {"content": {"text": text}}}}
        for text in ("of 1234-", "5678, Müller")
    ],
    [chat(content=[{"type": "text", "text": text}]) for text in ("of 1234-", "5678, Müller")],
]


@pytest.mark.parametrize("events", STREAMS)
def test_what_the_events_of_a_stream_say_together_is_redacted(events: list[Any]) -> None:
    text = stream(*events)
    assert {"1234-5678", "Müller"} <= set(re.findall(r"\d{4}-\d{4}|Müller", said(text)))
    found = redacted_reply(text, redact)
    assert said(found) == redact(said(text))
    assert said(found).count("[hidden]") == 2
    kept = json.dumps(json.dumps(found))
    assert not re.search(r"5678|üller|u00fcller", kept)


def test_what_a_list_of_events_says_together_is_redacted() -> None:
    events = [{"candidates": [{"content": {"parts": [{"text": t}]}}]} for t in ("1234-", "5678")]
    assert said(redacted_reply(answer(json.dumps(events)), redact)) == "[hidden]"


@pytest.mark.parametrize(
    "said_as", [lambda t: {"message": {"content": t}}, lambda t: {"response": t}]
)
def test_what_lines_say_together_is_redacted(said_as: Any) -> None:
    """As Ollama streams."""
    lines = [json.dumps({**said_as(text), "done": False}) for text in ("of 1234-", "5678")]
    end = json.dumps({**said_as(""), "done": True})
    text = answer("\n".join([*lines, end, ""]), "application/x-ndjson")
    assert said(text) == "of 1234-5678"
    hidden = redacted_reply(text, redact)
    assert said(hidden) == "of [hidden]"
    assert "5678" not in hidden


def test_letters_that_json_escapes_are_redacted() -> None:
    body = json.dumps({"choices": [{"message": {"content": f"Herr Müller, {ACCOUNT}"}}]})
    assert "\\u00fc" in body
    assert said(redacted_reply(answer(body), redact)) == "Herr [hidden], [hidden]"


@pytest.mark.parametrize(
    "text",
    [
        stream(chat(content="of "), chat(content="no account")),
        answer('{"choices":  [{"message": {"content": "caf\\u00e9"}}]}'),
        answer("no JSON"),
        answer('{"type": ["x"], "delta": "of"}\n{"choices": [{"index": {}, "text": "no"}]}'),
        text_of_answer(HTTPAnswer(200, {}, b"\xff\xfe")),
    ],
)
def test_what_holds_nothing_to_hide_stays_as_it_is_written(text: str) -> None:
    assert redacted_reply(text, redact) == text


def test_a_hook_that_reads_the_answer_as_it_is_written_is_asked_too() -> None:
    hidden = redacted_reply(
        answer('{"id": "x", "output": []}'), lambda text: text.replace('"x"', '""')
    )
    assert '{"id": "", "output": []}' in hidden
