"""The `openai` client with a tool and a conversation that goes on."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import openai  # noqa: F401 - imported once for all inner runs
import pytest
from adopted import adopt, check_all_steps


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_joins_with_its_tool_and_its_history(pytester: pytest.Pytester) -> None:
    repo = adopt(pytester, "openai_tools")

    def score(pipeline: ModuleType, row: dict[str, Any]) -> float:
        chat = pipeline.Conversation(row["said"])
        answer = chat.ask(row["ticket"])
        assert [turn["role"] for turn in chat.turns] == ["user", "assistant", *TURNS]
        return answer == row["team"]

    check_all_steps(repo, score, modules={"colleague.md"})
    assert "output: first-line" in repo.prompts()["colleague.md"]


TURNS = ["user", "assistant", "tool", "assistant"]
