"""Replies that reason first: the answer is told from its reasoning, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from output_types import Label, Order, Team, of, table_tests

from pytest_mipro.errors import OutputParseError

# fmt: off
READ: list[tuple[Any, dict[str, Any]]] = [
    (Team, {
        "<reasoning>charge</reasoning><answer>refund</answer>": "refund",
        "<reasoning>\nmaybe delivery\n</reasoning>\nrefund": "refund",
        "It mentions delivery.\n\nAnswer: refund": "refund", "refund": "refund",
        "I think\n---\nrefund\n---": "refund",
        "The charge was made twice. Therefore the answer is refund.": "refund",
        "Step 1: a charge.\nStep 2: refund.\n\n<answer>\nrefund\n</answer>\nDone": "refund",
        "<reasoning>It says <answer> tags</reasoning>\n<answer>delivery</answer>": "delivery",
        "**Reasoning**\nThe ticket mentions delivery and a bug.\n\n**Answer**\nrefund": "refund",
        "Reasoning: delivery were late.\nFinal answer: delivery.": "delivery",
        "<answer>refund</answer>\n\nThis is because of delivery.": "refund",
        "Let me think.\n\n- delivery: no\n- bug: no\n- refund: yes\n\nSo the answer is refund.":
            "refund",
        '{"reasoning": "a charge", "answer": "refund"}': "refund", "---\nrefund\n---": "refund",
        "Reason\n---\n\n```\nrefund\n```": "refund", "Because…\n\n**refund**": "refund",
    }),
    (bool, {
        "The text says so.\n\nTrue": True, "<answer>yes</answer>": True,
    }),
    (Order, {
        '{"reasoning": "r", "output": {"team":"refund","days":2}}': Order(team="refund", days=2),
        'Because of a charge.\n\n{"team":"refund","days":2}': Order(team="refund", days=2),
        '<reasoning>a</reasoning><answer>{"team":"refund","days":2}</answer>':
            Order(team="refund", days=2),
        '{"reasoning":"a","team":"refund","days":2}': Order(team="refund", days=2),
    }),
    (str, {
        "<reasoning>r</reasoning>\n<answer>\nDear customer\n\nBye\n</answer>":
            "Dear customer\n\nBye",
        "<reasoning>r</reasoning>\n<answer>Use <answer> tags</answer>": "Use <answer> tags",
        "<reasoning>r</reasoning>\n<answer>\n<answer>Hi</answer>": "Hi",
        "<reasoning>r</reasoning><answer>a</answer>\n<answer>b</answer>": "b",
        "<reasoning>an <answer> tag</reasoning><answer>a <answer>": "a <answer>",
        "I write <answer> now.\n<answer>Dear customer</answer>": "Dear customer",
        "Reasoning: x\nAnswer: Dear customer": "Dear customer",
        "<answer>Dear customer\n---\nPS</answer>": "Dear customer\n---\nPS",
        "<reasoning>r</reasoning>\n\nDear customer": "Dear customer",
        "Thoughts\n***\nDear customer": "Dear customer", "<answer>Dear customer": "Dear customer",
        "**Reasoning:** r\n\n**Answer:** Dear customer": "Dear customer",
        "### Reasoning\nr\n\n### Answer\nDear customer": "Dear customer",
    }),
    (int, {
        "2 + 3 = 5\n---\n5": 5, "<reasoning>2 and 3</reasoning><answer>about 5</answer>": 5,
    }),
]
REFUSED: list[tuple[Any, list[str]]] = [
    (Team, [
        "It could be refund or delivery.",
        "<reasoning>x</reasoning>\n\n<answer>refund or delivery</answer>",
        "The customer was charged.\n---\nNot refund", "<reasoning>\nfoo",
    ]),
    (str, [
        "Dear customer", "Para one.\n\nPara two.", "<reasoning>r</reasoning><answer></answer>",
    ]),
]
# fmt: on


test_one_clear_answer_is_that_answer, test_what_one_would_ask_back_about_is_refused = table_tests(
    READ, REFUSED, reasoning=True
)


def test_reasoning_is_split_from_the_answer() -> None:
    tagged = "<reasoning>\nBecause.\n</reasoning>\n<answer>\n%s\n</answer>"
    assert of(str, True).parse(tagged % "A\n---\nB\n") == ("A\n---\nB\n", "Because.")
    assert of(str, True).parse("Because.\n---\nThen.\n---\nA") == ("A", "Because.\n---\nThen.")
    assert of(str, True).parse("---\n\nA") == ("A", "")
    assert of(Label, True).parse("One:\r\n ---\r\nTwo.\n---\nbug.") == (
        "bug",
        "One:\r\n ---\r\nTwo.",
    )
    with pytest.raises(OutputParseError, match="nothing tells its answer from its reasoning"):
        of(str, True).parse("bug")
    for annotation in (Label, int):
        with pytest.raises(OutputParseError, match="'none' is"):
            of(annotation, True).parse("none")
    assert of(list[int], True).parse('{"output": [1]}') == ([1], "")
    assert of(list[int], True).parse("So.\n\n[1]") == ([1], "")


@pytest.mark.parametrize(("annotation", "named"), [(Label, "bug"), (bool, "true"), (int, "7")])
def test_a_reasoning_that_was_cut_holds_no_answer(annotation: Any, named: str) -> None:
    text = f"<reasoning>\nAt first sight it is {named}."
    with pytest.raises(OutputParseError, match="only a part of its reasoning"):
        of(annotation, True).parse(text, cut=True)
    answered = of(annotation, True).parse(f"{text}</reasoning><answer>{named}", cut=True)
    assert answered == (of(annotation).parse(named)[0], f"At first sight it is {named}.")


def test_a_demo_without_a_reasoning_shows_none() -> None:
    for reasoning in (None, ""):
        assert of(Label, True).reply_text("bug", reasoning) == "<answer>\nbug\n</answer>"
        assert of(list[int], True).reply_text([1], reasoning) == '{"output": [1]}'


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_and_reasoning_survive(text: str, thought: str) -> None:
    if text.strip():
        assert of(str).parse(of(str).reply_text(text, None)) == (text, None)
    data = of(list[str], True).reply_text([thought], thought)
    assert of(list[str], True).parse(data) == ([thought], thought)
