"""Texts and dates in replies: what is put around them is no part; and long replies, of any kind."""

# ruff: noqa: UP045 - the old spellings of unions are read, too

from __future__ import annotations

import contextlib
import time
from datetime import date
from typing import Annotated, Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from output_types import Item, Label, Order, Team, Tree, of, read, table_tests
from pydantic import Field

from pytest_mipro.errors import OutputParseError
from pytest_mipro.runtime.signature.outputs.output_format import OutputFormat

Code = Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]{3}$")]
Short = Annotated[str, Field(max_length=20)]

# fmt: off
READ: list[tuple[Any, dict[str, Any]]] = [
    (str, {
        "```markdown\n# Hi\n```": "# Hi", "```python\nx=1\n```": "```python\nx=1\n```",
        "Use:\n```\nx\n```": "Use:\n```\nx\n```",
        "<answer>Dear customer</answer>": "Dear customer", '"Quoted"': '"Quoted"',
        "Answer: yes": "Answer: yes", "<think>\n\n</think>\n\nDear customer": "Dear customer",
        "Dear customer<|im_end|>": "Dear customer", "Hi<eos><eos>\n": "Hi",
        "Hi<end_of_turn>\n<start_of_turn>user\nand": "Hi", "Hi<|endoftext|>Human: and": "Hi",
        "Use the <eos> token to end.": "Use the <eos> token to end.",
        "Write <|im_end|> at the end": "Write <|im_end|> at the end",
        "Was <s>10</s>, is <s>5</s> 4": "Was <s>10</s>, is <s>5</s> 4",
        "Was <s>10</s> 4<|im_end|>a": "Was <s>10</s> 4", "<s> Hi</s>": "Hi", "Hi</s><s>a": "Hi",
        "<response><a>1</a></response>": "<response><a>1</a></response>",
        "<response>Dear customer</response>": "Dear customer",
        "<output>\n<p>Dear Ms Lee</p>\n</output>": "<p>Dear Ms Lee</p>",
        "<response><p>Hello</p></response>": "<p>Hello</p>",
        "```text\nDear customer\n```\n": "Dear customer", "<|channel|>final<|message|>Hi": "Hi",
    }),
    (Optional[str], {
        "None": None, '"foo"': "foo", "7": "7", "null.": None, "`null`": None, "none": None,
        "No value was found.": "No value was found.",
    }),
    (date, {
        "2024-01-05": date(2024, 1, 5), "Date: 2024-01-05": date(2024, 1, 5),
        "The date is 2024-01-05.": date(2024, 1, 5), "**2024-01-05**": date(2024, 1, 5),
    }),
    (Code, {
        "Code: AB-123": "AB-123", "AB-123": "AB-123",
    }),
    (Short, {
        "Short text": "Short text",
    }),
]
REFUSED: list[tuple[Any, list[str]]] = [
    (str, [
        "  \n ", "<think>never ends", "<|channel|>analysis<|message|>Hi",
    ]),
    (Optional[str], [
        "",
    ]),
    (date, [
        "Start: 2024-01-05\nEnd: 2024-02-05", "tomorrow",
    ]),
    (Short, [
        "Title: something that is much too long\nok",
    ]),
]
# fmt: on


test_one_clear_answer_is_that_answer, test_what_one_would_ask_back_about_is_refused = table_tests(
    READ, REFUSED
)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "<think>" * 9999,
            "a<s" * 99999,
            "[" * 99999,
            '{"' * 9999,
            "`" * 99999,
            "- a\n" * 9999,
            "3 or " * 9999,
        ),
        *("delivery " * 4000, "not delivery " * 4000, "```json\n" * 4000),
    ],
)
@pytest.mark.parametrize("annotation", [Team, int, list[str], Optional[Team], Order], ids=str)
def test_long_replies_are_read_or_refused_at_once(annotation: Any, text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(OutputParseError):
        read(annotation, text)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("text", [" x\n", "a\n```\nx\n```", '"x"', "\ud800", "\x00", "x" * 10**6])
def test_a_text_is_the_reply_itself(text: str) -> None:
    assert of(str).parse(text) == (text, None)


def test_a_reply_that_holds_only_thoughts_is_empty() -> None:
    for annotation in (str, Label, Item):
        for text in ("<think>Hm. bug", "<|channel|>analysis<|message|>bug"):
            with pytest.raises(OutputParseError, match="it holds only the model's thoughts"):
                of(annotation).parse(text)
    assert of(str).parse("<think>bug</think>\n\nA\n")[0] == "A"


@given(st.text())
def test_no_reply_breaks_the_reader(text: str) -> None:
    for annotation in (str, Label, bool, int, float, Item, Tree, date):
        for reasoning in (False, True):
            try:
                of_cached(annotation, reasoning).parse(text)
            except OutputParseError as error:
                assert "\n" not in str(error)  # noqa: PT017


_FORMATS: dict[Any, OutputFormat] = {}


def of_cached(annotation: Any, reasoning: bool) -> OutputFormat:
    key = (annotation, reasoning)
    return _FORMATS.setdefault(key, _FORMATS.get(key) or of(annotation, reasoning))
