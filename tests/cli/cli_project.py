"""A project of two modules, one of two prompt texts, and how a command line ended."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PIPELINE = '''
from typing import Literal

from pytest_mipro import lm_module


@lm_module
def sum_up(ticket: str) -> str:
    """Say what the customer wants."""


@lm_module(model="openai/gpt-4o", max_tokens=50, private_parameters={"user": "secret-person-77"})
def route(summary: str, product: str = "Till") -> Literal["billing", "bug"]:
    """Choose the queue."""


def queue_of(ticket: str) -> str:
    return route(summary=sum_up(ticket=ticket))
'''
TESTS = """
import pytest
from pytest_mipro import cases
from desk.pipeline import queue_of


@pytest.mark.mipro(threshold=0.1)
@cases("tickets.jsonl")
def test_queue(ticket, queue):
    assert queue_of(ticket) == queue


@pytest.mark.mipro(threshold=0.1)
@cases("tickets.jsonl")
async def test_later(ticket):
    assert queue_of(ticket)
"""
# The model repeats a ticket, and sends each summary to `bug`.
CONFTEST = """
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    inputs = request.messages[-1].content
    return "bug" if "<summary>" in inputs else "summary of " + inputs.split("\\n")[1]

def pytest_mipro_client(config):
    return ScriptedClient(reply)
"""
ROWS = [
    {"id": "T-1", "ticket": "It's broken.", "queue": "bug"},
    {"id": "T-2", "ticket": "I paid twice.", "queue": "billing"},
]
PROMPT = """schema_version: 1
module: pipeline.route
instruction: |-
  Choose the queue, well.
demos:
- case: tickets.jsonl:T-1
  inputs:
    summary: It broke.
    product: Till
  output: bug
"""
OWN = """
import os
import httpx
from pytest_mipro import prompt_text

TRIAGE = prompt_text("prompts/triage.md")
SHORT = prompt_text("prompts/short.yaml", optimize=False)


def triage(ticket):
    messages = [
        {"role": "system", "content": TRIAGE.format(company="Finch")},
        *TRIAGE.demos_as_messages(),
        {"role": "user", "content": ticket},
    ]
    body = {"model": "m", "messages": messages, "max_tokens": 9, "tools": [{"type": "function"}]}
    key = {"Authorization": "Bearer sk-proj-0123456789abcdefghij"}
    url = os.environ.get("STUB", "https://llm.example.com") + "/v1/chat/completions"
    return httpx.post(url, json=body, headers=key).json()["choices"][0]["message"]["content"]
"""
# Its own client is not the plugin's, which imports litellm.
OWN_CONFTEST = """
from pytest_mipro.runtime.client.contract import ScriptedClient

def pytest_mipro_client(config):
    return ScriptedClient(lambda request: "")
"""
OWN_TESTS = """
import pytest
from pytest_mipro import cases
from desk.own import triage


@pytest.mark.mipro(threshold=0.1)
@cases("tickets.jsonl")
def test_triage(ticket, queue):
    assert triage(ticket) == queue
"""
TRIAGE = """---
demos:
- case: tickets.jsonl:T-1
  inputs:
    user_message: It broke.
  output: bug
---
You route tickets of {company}. Answer like {"queue": "bug"}.
"""
SHORT = """schema_version: 1
module: short.yaml
instruction: |-
  Be short.
demos: []
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it wrote."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file of a project, with its folders."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


LOCK = "tests/test_desk.mipro.json"
ROUTE = "desk/prompts/pipeline.route.yaml"


def wheel_of(project: Path, *left_out: str, prefix: str = "") -> Path:
    """Write a wheel of the package `desk`, as a build backend does."""
    path = project / "dist/desk-1.0-py3-none-any.whl"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in (project / "desk").rglob("*"):
            name = file.relative_to(project).as_posix()
            if file.is_file() and name not in left_out:
                archive.write(file, f"{prefix}{name}")
        archive.writestr("desk-1.0.dist-info/METADATA", "Name: desk\n")
    return path
