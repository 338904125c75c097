"""A reply of another model than the one that was asked."""

from __future__ import annotations

import pytest

from pytest_mipro.plugin.replies.recording import is_other_model


@pytest.mark.parametrize(
    ("asked", "served", "other"),
    [
        ("openai/gpt-4o", "gpt-4o-2024-08-06", False),
        ("anthropic/claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", False),
        ("openai/gpt-4o", "gpt-3.5-turbo-0125", True),
        ("openai/gpt-4o", "", False),
        ("hosted_vllm/meta/Llama-3", "llama-3", False),
        ("gemini/gemini-1.5-flash", "gemini-1.5-flash-002", False),
        ("gemini/gemini-2.5-pro-preview", "gemini-2.5-pro-preview-05-06", False),
        ("bedrock/us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307", False),
        ("openai/gpt-4o", "gpt-4o-mini-2024-07-18", True),
        ("openai/gpt-4o-mini", "gpt-4o", True),
        ("openai/gpt-4", "gpt-4.1", True),
        ("together_ai/llama-3-405b", "llama-3-900b", True),
        ("openai/gpt-4", "gpt-4-32k", True),
        ("anthropic/claude-opus-4-1", "claude-opus-4-20250514", True),
        ("openrouter/meta-llama/llama-3-8b", "meta-llama/llama-3-70b", True),
    ],
)
def test_another_model_is_told_from_a_version(asked, served, other):
    assert is_other_model(asked, served) is other


@pytest.mark.parametrize("name", ["m" * 99_999, "-111" + "1" * 99 + "a", "a." * 50_000, "-1" * 999])
def test_a_strange_model_name_takes_no_time(name):
    assert is_other_model("openai/gpt-4o", name)


def test_a_served_model_other_than_the_asked_one_is_told(pytester, recordable):
    recordable()
    conftest = pytester.path / "conftest.py"
    other = """
class Other(ScriptedClient):
    async def complete(self, request):
        from dataclasses import replace
        return replace(await super().complete(request), model="tiny-1")

def pytest_mipro_client(config):
    return Other(reply)
"""
    conftest.write_text(conftest.read_text() + other)
    for _ in range(2):
        result = pytester.runpytest()
        result.stdout.fnmatch_lines(["asked test/echo, served by tiny-1: scores are the latter's"])
