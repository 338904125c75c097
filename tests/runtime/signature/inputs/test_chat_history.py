"""A chat history as an input: turns of their own in a call, a value in a demo, clear errors."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from module_calls import called
from openai.types.chat import ChatCompletionMessage

from pytest_mipro import History, lm_module
from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, parse_prompt
from pytest_mipro.runtime.prompts.render import render
from pytest_mipro.simulated.formats.plain_format import read

TALK = [
    {"role": "user", "content": "<question>\nassistant: hi"},
    {"role": "assistant", "content": "{x}"},
]


@lm_module
def answer(question: str, history: History) -> str:
    """Answer."""


@lm_module
def route(messages: Annotated[History, "the\n chat"] = ()) -> Literal["a", "b"]:
    """Choose."""


@lm_module
def maybe(history: History | None = None, text: str = "t") -> str:
    """Answer."""


@lm_module
def two(one: History, other: History) -> str:
    """Answer."""


@lm_module
def judge(history: list[dict[str, str]]) -> str:
    """Judge."""


def test_turns_stand_between_the_demos_and_the_other_inputs() -> None:
    demo = Demo("other", {"question": "Q", "history": TALK}, "A")
    inputs = answer.signature.bind((), {"history": TALK, "question": "Why?"})
    _, *messages = render(answer.signature, Prompt("Answer.", (demo,)), inputs)
    assert messages == [
        Message(
            "user",
            f"<question>\nQ\n</question>\n\n<history>\n{json.dumps(TALK)}\n</history>",
        ),
        Message("assistant", "A"),
        *(Message(**turn) for turn in TALK),  # type: ignore[arg-type]
        Message("user", "<question>\nWhy?\n</question>"),
    ]


def test_the_system_message_says_what_the_turns_are() -> None:
    said = "the conversation so far, as messages of their own (examples show it as a list)"
    assert answer.messages("q", [])[0]["content"] == f"Answer.\n\nThe inputs:\n- `history`: {said}"
    assert f"\n- `messages`: the chat; {said}\n" in route.messages()[0]["content"]


def test_a_conversation_alone_ends_with_what_is_asked() -> None:
    talk = [*TALK, {"role": "user", "content": "And now?"}]
    assert route.messages(talk)[1:] == talk
    assert route.messages([])[1:] == [{"role": "user", "content": "Go on."}]
    with pytest.raises(ModuleCallError, match="conversation 'messages' ends with the assistant"):
        route.messages(TALK)


def test_no_history_has_no_turns() -> None:
    assert len(maybe.messages()) == 2
    assert maybe.messages(TALK)[1:3] == TALK
    assert answer.signature.bind(("q", None), {})["history"] == []


def test_only_role_and_content_are_taken_from_messages() -> None:
    said = ChatCompletionMessage(role="assistant", content="Hello", refusal=None)
    parts = {"role": "user", "content": [{"type": "text", "text": "Hi"}], "id": 7, "name": None}
    assert answer.messages("q", [said, parts])[1:3] == [  # type: ignore[list-item]
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("hi", "a chat history is a list of messages, not str"),
        (["hi"], "message 1 of a chat history must have the keys role and content; it is 'hi'"),
        ([{"role": "user"}], "must have the keys role and content; it is {'role': 'user'}"),
        ([{"role": "system", "content": ""}], "which is the module's own instruction; leave it"),
        ([{"role": "bot", "content": ""}], "message 1 has the role 'bot'; known: user, assistant"),
        ([{"role": "tool", "content": ""}], "message 1 has the role 'tool': a pipeline with tools"),
        (
            [*TALK, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}],
            "message 3 has tool_calls: a pipeline with tools keeps its own client, with a prompt_t",
        ),
        ([{"role": "user", "content": None}], "message 1 must have a content of text, not None"),
        ([{"role": "user", "content": [{"type": "x"}]}], "must have a content of text, not \\["),
    ],
)
def test_what_no_chat_can_show_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(
        ModuleCallError, match=f"LM module .*answer': argument 'history': .*{reason}"
    ):
        answer.messages("q", value)


def test_a_module_has_one_conversation_that_python_can_see() -> None:
    with pytest.raises(ModuleDefinitionError, match="one and other are chat histories; a call has"):
        two.messages([], [])
    source = "@lm_module\ndef f(history: 'History') -> str:\n    'Answer.'"  # as for a type checker
    exec(source, names := {"lm_module": lm_module})
    with pytest.raises(
        ModuleDefinitionError, match="History of input 'history' is not defined; imp"
    ):
        names["f"].messages([])


def test_it_is_part_of_key_and_trace() -> None:
    inputs = {"question": "q", "history": TALK}
    first, other = (called(answer, ["A"], inputs | {"history": talk}) for talk in (TALK, TALK[:1]))
    assert first.requests[0].digest() != other.requests[0].digest()
    assert dict(first.trace.calls[0].inputs) == inputs


def test_a_demo_with_a_history_survives_its_file(tmp_path: Any) -> None:
    prompt = Prompt("Answer.", (Demo("r", {"question": "q", "history": TALK}, "A"),))
    text = dump_prompt(answer.signature.name, prompt)
    assert parse_prompt(text, tmp_path / "p.yaml", answer.signature) == prompt


def test_another_annotation_is_shown_as_a_value() -> None:
    assert judge.messages(TALK)[1]["content"] == f"<history>\n{json.dumps(TALK)}\n</history>"


@pytest.mark.parametrize("corrected", [False, True])
def test_the_stand_in_reads_demos_and_conversation_apart(corrected: bool) -> None:
    demo = Demo("other", {"question": "Q", "history": TALK}, "A")
    inputs = answer.signature.bind((), {"history": TALK, "question": "Why?"})
    messages = render(answer.signature, Prompt("Answer.", (demo,)), inputs)
    if corrected:
        wrong = Message("assistant", "?"), Message("user", "Your reply could not be used: no.")
        messages += wrong
    task = read(messages)
    assert [(dict(each.inputs), each.outputs) for each in task.demos] == [
        ({"question": "Q", "history": json.dumps(TALK)}, {"output": "A"})
    ]
    assert dict(task.query) == {"question": "Why?", "history": json.dumps(TALK)}


def test_the_stand_in_reads_a_conversation_alone() -> None:
    talk = [*TALK, {"role": "user", "content": "And now?"}]
    messages = render(route.signature, Prompt("Choose."), route.signature.bind((talk,), {}))
    assert dict(read(messages).query) == {"messages": json.dumps(talk)}
