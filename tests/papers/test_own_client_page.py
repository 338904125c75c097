"""docs/own-client.md: its example runs as it stands, and its ini lines are taken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import litellm  # noqa: F401 - imported within an inner run, it would break metadata for the next one
import openai  # noqa: F401
import pytest
from lm_stub import stub

from pytest_mipro.runtime.own_calls.addresses import Addresses

PAGE = (Path(__file__).parents[2] / "docs/own-client.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


def test_the_example_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": word, "question": word, "wanted": word} for word in ("one", "two", "three")]
    (pytester.path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(test_answer=block("python"))
    with stub() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-0123456789abcdefghij")
        for _ in range(2):
            pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=4)
        assert server.count == 3


@pytest.mark.parametrize(
    ("number", "prompt"), [(2, "desk.choose_queue"), (1, "route.md")], ids=["module", "file"]
)
def test_an_example_with_a_prompt_runs_and_its_calls_are_the_prompt_s(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, number: int, prompt: str
) -> None:
    pytester.makeini("[pytest]\npythonpath = .\n")
    test = """
        import pytest
        from desk import route

        @pytest.mark.mipro
        def test_route():
            assert route("Charged twice.") == "billing"
    """
    pytester.makepyfile(desk=block("python", number), test_route=test)
    (pytester.mkdir("prompts") / "route.md").write_text(block("text"))
    with stub() as server:
        server.answers = lambda _: "billing"
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-0123456789abcdefghij")
        pytester.runpytest_inprocess("-p", "no:randomly", "--mipro-json=r.json").assert_outcomes(
            passed=1
        )
    (usage,) = json.loads((pytester.path / "r.json").read_text())["studies"][0]["modules"]
    assert (usage["module"], usage["model"]) == (prompt, "gpt-4o-mini")


def test_its_addresses_are_patterns() -> None:
    lines = block("ini").partition("=\n")[2].splitlines()
    patterns = tuple(line.strip() for line in lines)
    assert Addresses(patterns).are_lm("POST", "https://llm.example.com/v2/generate", None)
    found = {"model": "m"}
    url = "https://search.example.com/v1/embeddings"
    assert Addresses().are_lm("POST", url, found)
    assert not Addresses(patterns).are_lm("POST", url, found)
