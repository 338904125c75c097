"""A Starlette handler that gathers a call of its own with one in a thread pool."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import httpx
import openai  # noqa: F401 - imported once for all inner runs
import pytest
from adopted import adopt, check_all_steps


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_joins_with_gather_and_its_thread_pool(pytester: pytest.Pytester) -> None:
    pytest.importorskip("starlette")
    repo = adopt(pytester, "starlette_service")

    async def score(pipeline: ModuleType, row: dict[str, Any]) -> float:
        transport = httpx.ASGITransport(app=pipeline.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            answer = (await client.post("/tickets", json={"ticket": row["ticket"]})).json()
        return 0.8 * (answer["team"] == row["team"]) + 0.2 * (len(answer["summary"]) <= 80)

    with asyncio.Runner() as runner:
        found = check_all_steps(
            repo,
            lambda pipeline, row: runner.run(score(pipeline, row)),
            modules={"triage.md", "summary.md"},
        )
    assert "triage.md" in {each["name"] for each in found["modules"] if each["changed"]}
