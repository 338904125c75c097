"""A project whose model a test can change from outside, for locks, drift and reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CONFTEST = """
import os
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    word = request.messages[-1].content.partition("<text>\\n")[2].partition("\\n</text>")[0]
    if word == "down":
        from pytest_mipro.errors import EndpointError
        raise EndpointError("the endpoint is down")
    instruction = request.messages[0].content
    return word.upper() if "loudly" in instruction or word == "one" else word

def pytest_mipro_client(config):
    return ScriptedClient(reply)
"""
PIPELINE = '''
from pytest_mipro import lm_module

@lm_module
def say(text: str) -> str:
    """Say the word."""
'''
TESTS = """
import pytest
from pytest_mipro import Score, cases
from pipeline import say

@pytest.mark.mipro(threshold=0.1)
@cases("words.jsonl")
def test_say(text):
    assert say(text=text) == text.upper()
"""
INI = """
[pytest]
mipro_model = test/fake
pythonpath = .
"""
WORDS = ("one", "two", "three", "four", "five", "six")
LOCK = "test_words.mipro.json"


def write_gate(
    pytester: pytest.Pytester, tests: str = TESTS, *, words: tuple[str, ...] = WORDS, ini: str = ""
) -> None:
    """Write the project; `one` passes, the other words do once the prompt says "loudly"."""
    pytester.makefile(".ini", tox=INI + ini)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(pipeline=PIPELINE, test_words=tests)
    write_words(pytester, words)


def write_words(pytester: pytest.Pytester, words: tuple[str, ...]) -> None:
    """Write the cases; a word's id is the word, up to an equals sign behind which a text stands."""
    rows = [
        {"id": word.partition("=")[0], "text": word.partition("=")[2] or word} for word in words
    ]
    (pytester.path / "words.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def write_prompt(pytester: pytest.Pytester, instruction: str, variant: str = "") -> Path:
    """Commit a prompt file for the module, or for its variant, as `@acme`."""
    path = pytester.path / f"prompts/pipeline.say{variant}.yaml"
    path.parent.mkdir(exist_ok=True)
    text = f"schema_version: 1\nmodule: pipeline.say\ninstruction: |-\n  {instruction}\ndemos: []\n"
    path.write_text(text)
    return path


def lock_text(pytester: pytest.Pytester) -> str:
    """Return the lock's text, "" where there is none."""
    path = pytester.path / LOCK
    return path.read_text() if path.exists() else ""
