"""A desk whose replies are recorded, replayed and asked anew: its client, options and file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

RECORD, REPLAY, FRESH = (f"--mipro-replies={mode}" for mode in ("record", "replay", "fresh"))
WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n1"])
# Where it matters that a request, or a file, is one for all workers.
SEVERAL_WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"])

SOURCE = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", {texts!r})
def test_echo(text): assert echo(text=text) == text

@pytest.mark.mipro(threshold=0.5, repeats=2)
@pytest.mark.parametrize("text", ["again", "anew"])
async def test_later(text): assert await echo_later(text=text)
"""
TEXTS = ["one", "two", "three"]
# Notes each request in a file that all workers share; says what REPLY does of the text.
CLIENT = """
import os, pytest
from pathlib import Path
from pytest_mipro.errors import EndpointError, MissingKeyError
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    text = request.messages[-1].content.removeprefix("<text>\\n").removesuffix("\\n</text>")
    if os.environ.get("NO_KEY"):
        raise MissingKeyError("set the environment variable ECHO_API_KEY")
    if text == "down":
        raise EndpointError("the endpoint is down")
    with Path("asked.txt").open("a") as file:
        file.write(text.replace("\\n", " ") + "\\n")
    return {reply}

def pytest_mipro_client(config):
    return ScriptedClient(reply)
"""


def asked(pytester: pytest.Pytester) -> list[str]:
    """Return what was asked of the model since the last time."""
    path = pytester.path / "asked.txt"
    texts = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(texts)


def file_of(pytester: pytest.Pytester, name: str = "test_desk") -> Path:
    return pytester.path / f"{name}.replies.jsonl"


def entries(pytester: pytest.Pytester, name: str = "test_desk") -> list[dict[str, object]]:
    lines = file_of(pytester, name).read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"schema_version": 2}
    return [json.loads(line) for line in lines[1:]]


def cases(pytester: pytest.Pytester, name: str = "test_desk") -> list[str]:
    return [str(entry["case"]) for entry in entries(pytester, name)]


def forget_the_cache(pytester: pytest.Pytester) -> None:
    shutil.rmtree(pytester.path / ".mipro", ignore_errors=True)
