"""Prompt files: round trips, and files that people write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from desk_prompt import HERE
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_mipro.errors import PromptFileError
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import (
    dump_prompt,
    file_text,
    parse_prompt,
    read_prompt,
)
from pytest_mipro.runtime.signature.answers.reply_text import normalise_instruction

AWKWARD = [
    *("1e5", "08", "007", "-0", "0x1F", "1_000", "1:30", ".5", "+5", "12e03", "1.", "null", "~"),
    *("", " ", "yes", "no", "on", "True", "true", "NaN", ".inf", "2026-01-02", "<<", "=", "- a"),
    *("a: b", "#x", "x #y", "{a}", "[a]", "*a", "&a", "!a", "|", ">", "%", "@", "`", "---", "..."),
    *("a\tb", "\ta", "a\n\tb", "a\r\nb", "a\rb", "a \nb", " a\nb", "\n a", "a\n", "a\n\n", "\n"),
    *("\x85", "a\u2028b", "\u2029", "\ufeff", "\x00", "\x1b[0m", "\ud800", "\U0010ffff", "🙂"),
    *("a\xa0b", "é" * 300, "x" * 5000, "'", '"', "\\", "\\n", "'\"\\", "a\n---\nb", "a\n...\n"),
]

texts = st.text() | st.sampled_from(AWKWARD) | st.text(alphabet="ab:-# \t\n\r'\"|>[]{}e0159.+")
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
demos = st.builds(
    Demo,
    case=texts,
    inputs=st.dictionaries(texts, values, max_size=3),
    output=values,
    reasoning=st.none() | texts,
)
prompts = st.builds(
    Prompt,
    instruction=texts.map(normalise_instruction).filter(str.strip),
    demos=st.lists(demos, max_size=3).map(tuple),
)


def exact(value: Any) -> str:
    return repr(value)  # 1, 1.0 and True are equal, but not the same text in a message


@given(prompts)
def test_every_prompt_survives_its_file(prompt: Prompt) -> None:
    text = dump_prompt("desk.f", prompt)
    read = parse_prompt(text.encode().decode(), HERE)
    assert exact(read) == exact(prompt)
    assert dump_prompt("desk.f", read) == text
    assert read.digest() == prompt.digest()


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_awkward_texts_survive(text: str) -> None:
    demo = Demo(text, {text: text}, [text, {text: None}], text)
    prompt = Prompt(normalise_instruction(f"x{text}x"), (demo,))
    assert exact(parse_prompt(dump_prompt("desk.f", prompt), HERE)) == exact(prompt)


@given(texts)
@example("a\u2028b\x85c\x0bd \r\ne\t\n\n")
@example("\n \n  a\n \ufeff\n")
def test_normalised_instructions_are_block_scalars(text: str) -> None:
    instruction = normalise_instruction(text)
    assert normalise_instruction(instruction) == instruction
    dumped = dump_prompt("desk.f", Prompt(instruction))
    if instruction:
        assert "\ninstruction: |" in dumped


def test_normalising_keeps_what_languages_need() -> None:
    kept = "100\xa0€, 全角\u3000空白, \u0645\u06cc\u200c\u062e, 👩\u200d💻, e\u0301, a\tb"
    assert normalise_instruction(kept) == kept
    assert normalise_instruction("\r\n a  \rb\x00\x1b[1m\ud800\ufeff\n\n") == " a\nb[1m"


def test_a_file_reads_well() -> None:
    inputs = {"ticket": "Line one.\n\nLine: two", "n": 3}
    demo = Demo("t-7", inputs, "billing", "Because.")
    assert dump_prompt("desk.f", Prompt("Choose.\nOnly one.", (demo,))) == (
        "schema_version: 1\n"
        "module: desk.f\n"
        "instruction: |-\n  Choose.\n  Only one.\n"
        "demos:\n"
        "- case: t-7\n"
        "  inputs:\n    ticket: |-\n      Line one.\n\n      Line: two\n    n: 3\n"
        "  output: billing\n"
        "  reasoning: Because.\n"
    )


def test_a_value_used_twice_is_written_twice() -> None:
    shared = ["a"]
    prompt = Prompt("Go.", (Demo("1", {"x": shared}, shared), Demo("2", {"x": shared}, shared)))
    text = dump_prompt("desk.f", prompt)
    assert "*" not in text
    assert parse_prompt(text, HERE) == prompt


def test_hand_written_files_are_welcome() -> None:
    text = (
        "\ufeff# By hand.\r\nmodule: 'desk.f'  # mine\r\nschema_version: 1\r\n"
        "instruction: >\r\n  Choose\r\n  well.   \r\n\r\ndemos:\r\n"
    )
    assert parse_prompt(text, HERE) == Prompt("Choose well.")


@pytest.mark.parametrize("suffix", ["md", "txt"])
def test_a_text_file_is_an_instruction_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own.{suffix}"
    path.write_bytes("\ufeff\r\n# Sort\r\n\r\n- a: b  \r\n".encode())
    prompt = read_prompt(path)
    assert prompt == Prompt("# Sort\n\n- a: b")
    path.write_text(file_text(path, "desk.f", prompt))
    assert path.read_text() == "# Sort\n\n- a: b\n"
    assert read_prompt(path) == prompt
    path.write_text(" \n")
    with pytest.raises(PromptFileError, match=rf"own\.{suffix}:1: the instruction is empty"):
        read_prompt(path)
    assert file_text(HERE, "desk.f", prompt) == dump_prompt("desk.f", prompt)


def test_the_loader_leaves_pyyaml_alone() -> None:
    code = (
        "import yaml, pytest_mipro.runtime.text.yaml_subset\n"
        "assert yaml.safe_load('a: yes') == {'a': True}\n"
        "assert yaml.safe_load('a: &x 1\\nb: *x')['b'] == 1\n"
        "assert yaml.safe_dump({'a': '1e5'}) == 'a: 1e5\\n'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
    assert yaml.safe_load("a: 2026-01-02")["a"].year == 2026
