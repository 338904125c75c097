"""Images and files as inputs: parts of the message, short texts in traces, and no demos."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from module_calls import called

from pytest_mipro import File, Image, lm_module
from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError, PromptFileError
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, parse_prompt
from pytest_mipro.simulated.model import seen
from pytest_mipro.simulated.serving import chat_api

CAT = Image.from_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
DOG = Image("https://x.org/dog.png")
BILL = File.from_bytes(b"Bill 7\nto Ada", "text/plain", "bill.txt")


@lm_module
def describe(question: str, photo: Annotated[Image, "what was sent"], n: int = 1) -> str:
    """Describe."""


@lm_module
def compare(photos: list[Image], bill: File | None = None) -> str:
    """Compare."""


@lm_module
def plain(text: str) -> str:
    """Repeat."""


@lm_module
def nested(photos: dict[str, Image]) -> str:
    """Describe."""


def last(messages: list[dict[str, Any]]) -> list[Any]:
    return [part.get("text") or part for part in messages[-1]["content"]]


def test_an_image_stands_in_its_tag() -> None:
    messages = describe.messages("Which <photo>?", CAT)
    assert last(messages) == [
        "<question>\nWhich <photo>?\n</question>\n\n<photo>",
        CAT.part(),
        "</photo>\n\n<n>\n1\n</n>",
    ]
    assert messages[0]["content"] == "Describe.\n\nThe inputs:\n- `photo`: what was sent"


def test_several_images_and_a_file_stand_in_order() -> None:
    assert last(compare.messages([CAT, DOG], BILL)) == [
        "<photos>",
        CAT.part(),
        DOG.part(),
        "</photos>\n\n<bill>",
        BILL.part(),
        "</bill>",
    ]
    none = "<photos>\n[]\n</photos>\n\n<bill>\nnull\n</bill>"
    assert compare.messages([])[-1]["content"] == none


def test_a_url_is_taken_as_text() -> None:
    assert describe.messages("q", CAT.url) == describe.messages("q", CAT)  # type: ignore[arg-type]


def test_traces_show_a_short_text() -> None:
    call = called(describe, ["A cat."], {"question": "q", "photo": CAT})
    inputs = dict(call.trace.calls[0].inputs)
    assert json.loads(json.dumps(inputs)) == {"question": "q", "photo": CAT.short, "n": 1}
    assert call.requests[0].messages[-1].attached == (CAT,)


@dataclass
class Box:
    photo: Image


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: describe.messages("q", 3), "'photo': expected Image, as from Image.from_path"),
        (lambda: describe.messages("q", BILL), "'photo': expected Image, .* not File"),
        (lambda: describe.messages("q", "cat.png"), "'photo': an image is a data URL of type"),
        (lambda: compare.messages([CAT], "x"), "'bill': a file is a data URL, not 'x'; read one"),
        (lambda: plain.messages(CAT), "annotate an input that holds it `Image` or `list.Image.`"),
        (lambda: plain.messages(Box(CAT)), "annotate an input that holds it `Image`"),
    ],
)
def test_what_can_not_be_sent_is_refused(call: Any, reason: str) -> None:
    with pytest.raises(ModuleCallError, match=reason):
        call()


def test_no_other_value_holds_an_image() -> None:
    with pytest.raises(ModuleDefinitionError, match="'photos': Image can't be part of another"):
        nested.messages({})
    with pytest.raises(ModuleDefinitionError, match="Image is an input of its own, or one of a l"):
        exec("@lm_module\ndef f(x: str) -> Image:\n    'Draw.'", globals() | {})


def test_prompt_files_hold_no_demo_with_an_image() -> None:
    demo = Demo("r", {"question": "q", "photo": CAT.short, "n": 1}, "A cat.")
    text = dump_prompt(describe.signature.name, Prompt("Describe.", (demo,)))
    with pytest.raises(PromptFileError, match="which no prompt file holds; delete the d"):
        parse_prompt(text, Path("p.yaml"), describe.signature)


def test_the_stand_in_sees_the_text_of_a_file_and_the_kind_of_an_image() -> None:
    message = Message.of("user", ["<bill>", BILL, "</bill>\n\n<photo>", CAT, "</photo>"])
    shown = f"<bill>\nBill 7\nto Ada\n</bill>\n\n<photo>\n{CAT.short}\n</photo>"
    assert seen(message) == Message("user", shown)


def test_the_stand_in_s_server_sees_the_same_as_in_process() -> None:
    sent = compare.messages([CAT], BILL)
    status, body = chat_api.completion({"model": "small", "messages": sent}, 0)
    assert status == 200
    assert "Bill" in body["choices"][0]["message"]["content"] or body["usage"]["prompt_tokens"] > 9
    wrong = [{"role": "user", "content": [{"type": "input_audio"}]}]
    assert chat_api.completion({"model": "small", "messages": wrong}, 0)[0] == 400
