"""The how-to pages: their files are written, their commands run, the lines they quote printed."""

from __future__ import annotations

import sys

import pytest
from pages import play

from pytest_mipro.simulated.serving.server import serve


@pytest.mark.parametrize(
    ("page", "commands"),
    [
        ("judge.md", 2),
        ("small-suites.md", 2),
        ("moving-dspy.md", 1),
        ("moving-promptfoo.md", 2),
        ("moving-deepeval.md", 1),
    ],
)
def test_a_page_works_as_printed(pytester: pytest.Pytester, page: str, commands: int) -> None:
    assert play(pytester, page, exact=True) == commands


@pytest.mark.slow
@pytest.mark.parametrize(("page", "commands"), [("moving-openai.md", 3), ("moving-litellm.md", 3)])
def test_a_pipeline_with_its_own_client_moves_as_printed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, page: str, commands: int
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert play(pytester, page, exact=True) == commands


def test_the_web_app_works_as_printed(pytester: pytest.Pytester) -> None:
    pytest.importorskip("starlette")
    assert play(pytester, "web-app.md", exact=True) == 1


def test_what_is_private_is_in_no_recorded_reply(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASES", str(pytester.path / "tests"))
    assert play(pytester, "private-data.md") == 3
    text = (pytester.path / "tests/test_reply.replies.jsonl").read_text(encoding="utf-8")
    assert "[account]" in text
    assert "5678" not in text


def test_the_prompts_are_in_the_wheel(pytester: pytest.Pytester) -> None:
    pytest.importorskip("hatchling", reason="the page's wheel is built by hatchling")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel")
    tools = {"python -m build --wheel": build}
    pytester.run("git", "init", "-q")
    assert play(pytester, "packaging.md", tools) == 2
