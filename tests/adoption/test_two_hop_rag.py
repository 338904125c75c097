"""Two hops through a handbook, each with a prompt, and a judge whose prompt is frozen."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import openai  # noqa: F401 - imported once for all inner runs
import pytest
from adopted import adopt, check_all_steps


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_joins_with_both_hops_and_its_judge(pytester: pytest.Pytester) -> None:
    repo = adopt(pytester, "two_hop_rag")
    judge = repo.prompts()["judge.md"]

    def score(pipeline: ModuleType, row: dict[str, Any]) -> float:
        said = pipeline.answer(row["question"])
        return 0.8 * (said == row["team"]) + 0.2 * pipeline.judge(row["question"], said)

    found = check_all_steps(repo, score, modules={"query.md", "answer.md", "judge.md"})
    assert {each["name"] for each in found["modules"]} == {"query.md", "answer.md"}
    assert repo.prompts()["judge.md"] == judge
