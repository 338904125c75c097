"""What git leaves in a text where a merge was not resolved."""

from __future__ import annotations

import pytest

from pytest_mipro.runtime.text.merge_conflict import conflict_line

CONFLICT = "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> branch\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (CONFLICT, 1),
        (f"a\n\n{CONFLICT}b", 3),
        (CONFLICT.replace("\n", "\r\n"), 1),
        (CONFLICT.replace("=======", "||||||| base\nwas\n======="), 1),  # merge.conflictStyle=diff3
        (f"<<<<<<< a\n{CONFLICT}", 2),
    ],
)
def test_a_conflict_is_found_by_its_line(text, line):
    assert conflict_line(text) == line


@pytest.mark.parametrize(
    "text",
    [
        "Rules\n=======\nBe brief.\n",
        "<<<<<<< HEAD\nRules\n=======\n",
        "=======\n>>>>>>> branch\n<<<<<<< HEAD\n",
        CONFLICT.replace("=======", "========"),
        CONFLICT.replace("<<<<<<< HEAD", "<<<<<<<<"),
        CONFLICT.replace("\n", "\n  ").replace("<<<<<<<", "  <<<<<<<"),  # a text that shows one
    ],
)
def test_a_text_without_all_markers_has_none(text):
    assert conflict_line(text) is None
