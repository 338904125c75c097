"""Prompts of modules that Python imports from a zip archive."""

from __future__ import annotations

import importlib
from pathlib import Path
from zipfile import ZipFile

import pytest

from pytest_mipro.errors import PromptFileError
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, read_prompt

SOURCE = """
from pytest_mipro import lm_module, prompt_text

@lm_module
def route(ticket: str) -> str: ...

@lm_module
def reply(ticket: str) -> str:
    'Reply.'

@lm_module(prompt="prompts/none.yaml")
def gone(ticket: str) -> str:
    'Go.'

def text(): return prompt_text("prompts/own.md")
"""


def test_prompts_are_read_out_of_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("zipped/desk.py", SOURCE)
        archive.writestr("zipped/__init__.py", "")
        prompt = dump_prompt("desk.route", Prompt("Choose the queue."))
        archive.writestr("zipped/prompts/desk.route.yaml", prompt)
        archive.writestr("zipped/prompts/own.md", "Be kind.\n")
    monkeypatch.syspath_prepend(str(tmp_path / "app.zip"))
    desk = importlib.import_module("zipped.desk")
    assert desk.route.prompt == Prompt("Choose the queue.")
    assert desk.reply.prompt == Prompt("Reply.")
    assert str(desk.text()) == "Be kind."
    with pytest.raises(PromptFileError, match=r"none\.yaml:1: the prompt file of .* is missing"):
        _ = desk.gone.prompt


def test_an_archive_is_read_as_it_is_now(tmp_path: Path) -> None:
    path, archive = tmp_path / "app.zip" / "prompts" / "own.md", tmp_path / "app.zip"
    for text in ("Be kind.", "Be brief, and kind."):
        with ZipFile(archive, "w") as files:
            files.writestr("prompts/own.md", text)
        assert read_prompt(path) == Prompt(text)
    archive.write_bytes(archive.read_bytes().replace(b"Be brief", b"Be blunt"))
    with pytest.raises(PromptFileError, match=r"1: can't be read \(the archive app\.zip is"):
        read_prompt(path)


def test_a_file_in_place_of_a_folder_is_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "filed.py").write_text(SOURCE.replace("...", "'Route.'"), encoding="utf-8")
    (tmp_path / "prompts").write_text("no folder", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("filed").route.prompt == Prompt("Route.")
