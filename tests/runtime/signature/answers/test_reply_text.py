"""What models put around a short answer is taken off, and nothing else."""

from __future__ import annotations

import pytest

from pytest_mipro.runtime.signature.answers.reply_text import bare


@pytest.mark.parametrize(
    "text",
    [
        *("-> billing", "=> billing", "-->  billing", "> - billing", "- 1. billing"),
        *("### billing", "# # billing", "## # billing", "(1) billing", "* **billing**."),
    ],
)
def test_marks_before_an_answer_are_taken_off(text: str) -> None:
    assert bare(text) == "billing"


@pytest.mark.parametrize("text", ["#billing", "-1 billing", "1.5", "->billing", "=billing"])
def test_what_belongs_to_an_answer_is_kept(text: str) -> None:
    assert bare(text) == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("run", ["#", "->", "->->>", "=>", "- ", "# ", "1.", "👍", '👍"', '".'])
def test_long_runs_of_marks_take_no_time(run: str) -> None:
    for text in (run * 10_000, f"{run * 10_000} x", f"x{run * 10_000}"):
        assert len(bare(text)) <= len(text)
