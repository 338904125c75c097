"""docs/several-models.md: its files run as they stand, and print what the page shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/several-models.md").read_text(encoding="utf-8")
CONFTEST = """
from dataclasses import replace
from pytest_mipro.runtime.client.contract import ScriptedClient

COST = {"openai/gpt-4o-mini": 0.00002, "openai/gpt-4o": 0.0003}

def reply(request):
    number = int(request.messages[-1].content.split("ticket ")[1].split("\\n")[0])
    right = number % 20 >= (5 if "mini" in request.model else 1)
    return ("billing", "bug")[number % 2 if right else 1 - number % 2]

class Client(ScriptedClient):
    async def complete(self, request):
        return replace(await super().complete(request), cost=COST[request.model])

def pytest_mipro_client(config):
    return Client(reply)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """All files of the page, with cases and a model."""
    pytester.makeini("[pytest]\npythonpath = .\n")
    pytester.makeconftest(CONFTEST)
    for text in blocks("python"):
        name = text.partition("\n")[0].removeprefix("# ")
        (pytester.path / name).write_text(text)
    rows = [
        {"id": f"T-{n}", "ticket": f"ticket {n}", "queue": ("billing", "bug")[n % 2]}
        for n in range(60)
    ]
    for name in ("tickets.jsonl", "acme.jsonl"):
        (pytester.path / name).write_text("\n".join(map(json.dumps, rows)))
    return pytester


def test_the_block_is_what_a_run_prints(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("-p", "no:randomly", "test_desk.py")
    assert result.ret == 0
    assert blocks("text")[0].strip() in result.stdout.str()


def test_the_variants_are_named(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess(
        "-p", "no:randomly", "test_desk_models.py", "--mipro-json=r.json"
    )
    assert result.ret == 0
    assert f"\n{blocks('text')[1]}" in result.stdout.str()
    (study,) = json.loads((project.path / "r.json").read_text())["studies"]
    assert [(each["module"], each["model"]) for each in study["modules"]] == [
        ("desk.triage", "openai/gpt-4o"),
        ("desk.triage@mini", "openai/gpt-4o-mini"),
    ]


def test_a_tenant_has_a_test_of_its_own(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess(
        "-p", "no:randomly", "--mipro-model=openai/gpt-4o", "test_acme.py"
    )
    assert result.ret == 0
    assert "\nvariant acme: the plain prompt for desk.triage\n" in result.stdout.str()
