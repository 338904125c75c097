"""Tools of the chat API: called for what a question names, their results part of the question."""

from __future__ import annotations

import json

import pytest

from pytest_mipro.simulated.serving.chat_api import completion

PARAMETERS = {
    "type": "object",
    "properties": {"number": {"type": "string"}},
    "required": ["number"],
}
TOOL = {"type": "function", "function": {"name": "read_ticket", "parameters": PARAMETERS}}
SYSTEM = {"role": "system", "content": "Reply with one of: bug, billing"}


def asked(*turns, **more):
    data = {"model": "small", "messages": [SYSTEM, *turns], "tools": [TOOL], **more}
    status, body = completion(data, 0)
    assert status == 200
    return body["choices"][0]


def user(text):
    return {"role": "user", "content": text}


def test_a_tool_is_called_with_what_the_question_names():
    choice = asked(user("Which team takes ticket T-12?"))
    (call,) = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert call["function"]["name"] == "read_ticket"
    assert json.loads(call["function"]["arguments"]) == {"number": "T-12"}


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Which team takes it?", {}),
        ("Which team takes T-12?", {"tool_choice": "none"}),
        ("Which team takes T-12?", {"tools": []}),
    ],
)
def test_without_its_arguments_or_leave_no_tool_is_called(text, more):
    choice = asked(user(text), **more)
    assert "tool_calls" not in choice["message"]
    assert choice["message"]["content"] in {"bug", "billing"}


def test_what_a_tool_gave_is_read_with_the_question():
    question = user("Which team takes T-12?")
    message = asked(question)["message"]
    found = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "a bug"}
    whole = user("Which team takes T-12?\n\na bug")
    assert asked(question, message, found)["message"] == asked(whole, tools=None)["message"]
