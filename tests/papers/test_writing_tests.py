"""docs/writing-tests.md: its step runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/writing-tests.md").read_text(encoding="utf-8")
INDEX = """
class index:
    search = staticmethod(lambda query, top: [query] * top)

"""
TEST = """
import pytest
from rag import search

@pytest.mark.mipro
def test_search():
    assert search("chair") == ["chair"] * 3
"""


def test_its_step_runs_and_is_recorded(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (step,) = (block for block in blocks if "@step" in block)
    pytester.makeini("[pytest]\npythonpath = .\n")
    pytester.makepyfile(rag=INDEX + step, test_rag=TEST)
    pytester.runpytest_inprocess("--mipro-replies=record").assert_outcomes(passed=1)
    assert '"step rag.search"' in (pytester.path / "test_rag.replies.jsonl").read_text()
