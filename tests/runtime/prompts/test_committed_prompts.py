"""Which prompt a module has: that of its file, read once, or its docstring's."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from desk_prompt import GOOD

from pytest_mipro import configure, lm_module
from pytest_mipro.errors import PromptFileError, PromptWarning
from pytest_mipro.runtime.prompts import committed_prompts
from pytest_mipro.runtime.prompts.committed_prompts import (
    committed_prompt,
    forget_committed_prompts,
)
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt
from pytest_mipro.runtime.settings import current_settings, replace_settings
from pytest_mipro.runtime.signature.function_signature import FunctionSignature


def test_a_file_is_read_once_until_forgotten(signature: FunctionSignature) -> None:
    path = signature.prompt_path
    assert committed_prompt(signature) == Prompt("Count.")
    path.write_text(GOOD)
    assert committed_prompt(signature) == Prompt("Count.")
    forget_committed_prompts()
    assert committed_prompt(signature) == Prompt("Go.")
    path.write_text("broken")
    assert committed_prompt(signature) == Prompt("Go.")
    forget_committed_prompts()
    for _ in range(2):
        with pytest.raises(PromptFileError, match=r"desk\.f\.yaml:1: expected a mapping"):
            committed_prompt(signature)


def test_two_modules_on_one_path_are_told_apart(signature: FunctionSignature) -> None:
    signature.prompt_path.write_text(GOOD)
    committed_prompt(signature)
    other = FunctionSignature(
        "desk.g", "Other.", signature.prompt_path, function=signature.function
    )
    with pytest.raises(PromptFileError, match=r"belongs to module 'desk\.f', not to 'desk\.g'"):
        committed_prompt(other)


@pytest.mark.parametrize(
    ("instruction", "names"),
    [
        ("You work for {company}.", "{company}"),
        ("Greet {{ name }} of {company}, {company}!", "{name}, {company}"),
        ('Reply with {"a": 1}.', ""),
        ("Use \\frac{a}{b} and {1, 2} and {}.", ""),
        ('As in {"a": {b}}.', ""),
    ],
)
def test_a_placeholder_is_told_once(
    signature: FunctionSignature, instruction: str, names: str
) -> None:
    signature.prompt_path.write_text(GOOD.replace("Go.", json.dumps(instruction)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            assert committed_prompt(signature).instruction == instruction
    assert [one.category for one in caught] == [PromptWarning] * bool(names)
    for one in caught:
        assert f"desk.f.yaml: the instruction holds {names}, which nothing" in str(one.message)


def test_a_placeholder_of_a_docstring_is_told_with_its_line(signature: FunctionSignature) -> None:
    asked = FunctionSignature(
        "desk.f", "For {company}.", signature.prompt_path, function=signature.function
    )
    with pytest.warns(PromptWarning, match=r"\.py:\d+: LM module 'desk\.f': .* \{company\}, which"):
        committed_prompt(asked)


def test_a_directory_in_place_of_the_file_is_an_error(signature: FunctionSignature) -> None:
    signature.prompt_path.mkdir()
    with pytest.raises(PromptFileError, match="Is a directory"):
        committed_prompt(signature)


def test_without_docstrings_the_error_says_who_dropped_them(
    signature: FunctionSignature, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = FunctionSignature("desk.f", "", signature.prompt_path, function=signature.function)
    with pytest.raises(PromptFileError, match=r"`instruction: …`\)$"):
        committed_prompt(empty)
    flags = SimpleNamespace(flags=SimpleNamespace(optimize=2))
    monkeypatch.setattr(committed_prompts, "sys", flags)
    with pytest.raises(PromptFileError, match=r", or run without -OO \(PYTHONOPTIMIZE=2\), which"):
        committed_prompt(empty)


def test_a_missing_file_is_an_error_where_it_is_required(signature: FunctionSignature) -> None:
    message = r"desk\.f\.yaml:1: the prompt file of 'desk\.f' is missing; commit it \(`schema_"
    named = FunctionSignature(
        "desk.f", "Go.", signature.prompt_path, True, function=signature.function
    )
    with pytest.raises(PromptFileError, match=message):
        committed_prompt(named)
    assert committed_prompt(signature) == Prompt("Count.")
    before = current_settings()
    try:
        configure(require_prompts=True)
        with pytest.raises(PromptFileError, match=message):
            committed_prompt(signature)
    finally:
        replace_settings(before)
    with pytest.raises(PromptFileError, match=message):  # docstrings stripped by `python -OO`
        committed_prompt(
            FunctionSignature("desk.f", "", signature.prompt_path, function=signature.function)
        )


def test_a_module_s_prompt_is_the_committed_one(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"

    @lm_module(prompt=str(path))
    def f(x: str) -> str:
        """First words."""

    path.write_text(dump_prompt("test_committed_prompts.f", Prompt("Later words.")))
    assert f.prompt == Prompt("Later words.")
    system = f.messages(x="y")[0]
    assert system == {"role": "system", "content": "Later words."}
