"""Instructions as they come out of replies: without fences, quotes and trailing spaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.proposing.proposed import clean_instruction


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("  Sort it.  \n", "Sort it."),
        ("```\nSort it.\n```", "Sort it."),
        ("```text\nSort it.\n  Well.\n```", "Sort it.\n  Well."),
        ('"Sort it."', "Sort it."),
        ("'Sort it.'", "Sort it."),
        ('"a" goes to "b"', '"a" goes to "b"'),
        ("'", "'"),
        ("Here is a better one:\n```text\nDo it.\nWell.\n```\nHope it helps!", "Do it.\nWell."),
        ("**New instruction:**\n\nDo it.", "Do it."),
        ("Instruction:\nDo it.", "Do it."),
        ("Sort these.\n```\nx\n```", "Sort these.\n```\nx\n```"),
        ("Use ```x``` here.", "Use ```x``` here."),
        ("Sort it.  \r\nWell.\t\n", "Sort it.\nWell."),
        ("```\nReply with `red`\nor `blue`.\n```", "Reply with `red`\nor `blue`."),
        ("```\nSort.\n```\n\n```\nx\n```", "```\nSort.\n```\n\n```\nx\n```"),
        ("<think>\nWhat of it?\n</think>\n\nSort it.", "Sort it."),
        ("<thinking>Well.</thinking>```\nSort it.\n```", "Sort it."),
        ("<think>\nWhat of it? It might", ""),
        ("Put thoughts in <think></think> first.", "Put thoughts in <think></think> first."),
        ("```\n```", ""),
        ('""', ""),
    ],
)
def test_fences_and_quotes_around_an_instruction_are_not_part_of_it(reply: str, text: str) -> None:
    assert clean_instruction(reply) == text


@given(st.text())
def test_a_cleaned_instruction_can_be_written_as_it_was_measured(reply: str) -> None:
    text = clean_instruction(reply)
    assert text == text.strip()
    assert "\r" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))
