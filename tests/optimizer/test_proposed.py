"""What becomes of a proposer's reply."""

from __future__ import annotations

import pytest

from pytest_mipro.optimizer.proposed import clean_instruction


@pytest.mark.parametrize(
    ("reply", "instruction"),
    [
        ("  Do it.\n", "Do it."),
        ("```\nDo it.\n```", "Do it."),
        ("Here is a better one:\n```text\nDo it.\nWell.\n```\nHope it helps!", "Do it.\nWell."),
        ("**New instruction:**\n\nDo it.", "Do it."),
        ("Instruction:\nDo it.", "Do it."),
        ('"Do it."', "Do it."),
        ('"a" or "b"', '"a" or "b"'),
        ("Sort these.\n```\nx\n```", "Sort these.\n```\nx\n```"),
        ("Do it.  \r\nWell.", "Do it.\nWell."),
        ("```\n```", "```\n```"),
        ("", ""),
    ],
)
def test_talk_around_an_instruction_is_dropped_and_nothing_of_it(reply, instruction):
    assert clean_instruction(reply) == instruction
