"""Prompt files: round trips, errors that name the line, and which prompt a module has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_mipro import configure, lm_module
from pytest_mipro.errors import PromptFileError, PromptWarning
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import (
    committed_prompt,
    dump_prompt,
    file_text,
    forget_committed_prompts,
    parse_prompt,
    read_prompt,
)
from pytest_mipro.runtime.settings import current_settings, replace_settings
from pytest_mipro.runtime.signature.function_signature import FunctionSignature, signature_of
from pytest_mipro.runtime.signature.reply_text import normalise_instruction

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path("desk.yaml")
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


BOMB = "\n".join(
    [
        "a: &a [x]",
        *(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]" for i in range(9)),
    ]
)
GOOD = "schema_version: 1\nmodule: desk.f\ninstruction: Go.\n"
DEMO = GOOD + "demos:\n- case: a\n  inputs: {x: b}\n  output: 1\n"
WRONG: dict[str, tuple[str, int, str]] = {
    "empty": ("", 1, "expected a mapping with the keys schema_version, module"),
    "comment alone": ("# x\n", 1, "expected a mapping"),
    "list": ("\n- a\n", 2, "expected a mapping"),
    "malformed": (GOOD + "demos: [\n", 5, "expected"),
    "tab": (GOOD + "\tdemos: []\n", 4, "cannot start any token"),
    "colon": ("schema_version: 1\nmodule: a: b\n", 2, "mapping values are not allowed here"),
    "unknown key": (GOOD + "model: gpt\n", 4, "unknown key 'model'; known: schema_version"),
    "unknown demo key": (DEMO + "  score: 1\n", 8, "unknown key 'score'; known: case, inputs"),
    "key twice": (GOOD + "module: desk.f\n", 4, "the key 'module' appears twice"),
    "demo key twice": (DEMO + "  output: 2\n", 8, "the key 'output' appears twice"),
    "input twice": (GOOD + "demos:\n- inputs:\n    x: a\n    x: b\n", 7, "'x' appears twice"),
    "key that is a number": (GOOD + "1: x\n", 4, "the key 1 is not text; quote it"),
    "key that is a list": (GOOD + "? [a]\n: x\n", 4, "the key of a sequence is not text"),
    "alias": (GOOD + "demos: &a []\nx: *a\n", 5, "an alias (`*name`) is not allowed here"),
    "bomb": (BOMB, 2, "an alias (`*name`) is not allowed here"),
    "merge": (GOOD + "<<: {a: b}\n", 4, "unknown key '<<'"),
    "merge tag": (GOOD + "!!merge x: {a: b}\n", 4, "the key x is not text"),
    "python tag": (GOOD + "demos: !!python/object/apply:os.system [ls]\n", 4, "python/object"),
    "date tag": (GOOD + "demos: !!timestamp 2026-01-02\n", 4, "timestamp"),
    "binary tag": (GOOD + "demos: !!binary aGk=\n", 4, "binary"),
    "set tag": (GOOD + "demos: !!set {a}\n", 4, "set"),
    "own tag": (GOOD + "demos: !mine []\n", 4, "!mine"),
    "broken tag": (GOOD + "demos: !!bool maybe\n", 4, "'maybe' can't be read as bool"),
    "list tag": (GOOD + "demos: !!int [a]\n", 4, "expected a scalar node"),
    "endless digits": (GOOD + "demos: " + "9" * 5000, 4, "can't be read as int"),
    "endless float": (GOOD + "demos: 1e999\n", 4, "'1e999' is not a finite number"),
    "two documents": (GOOD + "---\n" + GOOD, 4, "but found another document"),
    "control": (GOOD + "demos: \x00\n", 4, "the character U+0000 is not allowed"),
    "deep": (GOOD + "demos: " + "[" * 20_000, 1, "nested too deeply"),
    "no module": ("schema_version: 1\ninstruction: Go.\n", 1, "the key 'module' is missing"),
    "no version": ("module: desk.f\ninstruction: Go.\n", 1, "the key 'schema_version' is missing"),
    "later version": ("schema_version: 2\n", 1, "schema_version is 2, this release reads 1"),
    "earlier version": ("schema_version: 0\n", 1, "schema_version is 0, this release reads 1"),
    "version of text": ("schema_version: '1'\n", 1, "must be a whole number, not '1'"),
    "version of bool": ("schema_version: true\n", 1, "must be a whole number, not True"),
    "module of number": ("schema_version: 1\nmodule: 7\n", 2, "must be text, not 7; quote it"),
    "instruction list": (
        "schema_version: 1\nmodule: desk.f\ninstruction: [a]\n",
        3,
        "must be text, not ['a']",
    ),
    "no instruction": ("schema_version: 1\nmodule: desk.f\n", 1, "'instruction' is missing"),
    "empty instruction": (
        "schema_version: 1\nmodule: desk.f\ninstruction: ' '\n",
        3,
        "the instruction is empty",
    ),
    "demos of text": (GOOD + "demos: none\n", 4, "'demos' must be a list, not 'none'"),
    "demos of mapping": (GOOD + "demos: {a: b}\n", 4, "'demos' must be a list"),
    "demo of text": (GOOD + "demos:\n- one\n", 5, "mapping with the keys case, inputs, output"),
    "demo without output": (
        GOOD + "demos:\n- case: a\n  inputs: {}\n",
        5,
        "the key 'output' is missing",
    ),
    "case of number": (
        DEMO.replace("case: a", "case: 12"),
        5,
        "'case' must be text, not 12; quote",
    ),
    "case of nothing": (DEMO.replace("case: a", "case:"), 5, "'case' must be text, not None"),
    "inputs list": (DEMO.replace("{x: b}", "[x]"), 6, "'inputs' must be a mapping, not ['x']"),
    "reasoning number": (DEMO + "  reasoning: 5\n", 8, "'reasoning' must be text, not 5; quote it"),
    "other module": (GOOD.replace("desk.f", "desk.g"), 2, "to module 'desk.g', not to 'desk.f'"),
    "other inputs": (DEMO.replace("{x: b}", "{y: b}"), 6, "the inputs ['y'], not ['x']"),
    "more inputs": (DEMO.replace("{x: b}", "{x: b, y: c}"), 6, "the inputs ['x', 'y'], not ['x']"),
    "other output": (DEMO.replace("output: 1", "output: one"), 7, "'one' does not have the module"),
}


@pytest.fixture
def signature(tmp_path: Path) -> Iterator[FunctionSignature]:
    def f(x: str) -> int:
        """Count."""

    path = tmp_path / "desk.f.yaml"
    made = signature_of(f, prompt=str(path), reasoning=False, optimize=True)
    forget_committed_prompts()
    yield FunctionSignature("desk.f", made.instruction, path, function=f)
    forget_committed_prompts()


@pytest.mark.parametrize(("text", "line", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_files_are_refused_by_line(
    signature: FunctionSignature, text: str, line: int, reason: str
) -> None:
    with pytest.raises(PromptFileError) as caught:
        parse_prompt(text, HERE, signature)
    message = str(caught.value)
    assert message.startswith(f"desk.yaml:{line}: ")
    assert reason in message
    assert "\n" not in message
    assert len(message) < 300


def test_numbers_with_leading_zeros_are_texts(signature: FunctionSignature) -> None:
    prompt = parse_prompt(DEMO.replace("case: a", "case: 007"), HERE, signature)
    assert prompt.demos[0].case == "007"


def test_demo_inputs_come_in_the_module_s_order() -> None:
    def f(b: str, a: str) -> str:
        """Join."""

    made = signature_of(f, prompt="p.yaml", reasoning=False, optimize=True)
    text = (
        GOOD.replace("desk.f", made.name) + "demos:\n- {case: x, inputs: {a: 1, b: 2}, output: y}"
    )
    assert list(parse_prompt(text, HERE, made).demos[0].inputs) == ["b", "a"]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"schema_version: 1\nmodule: \xff\n")
    with pytest.raises(PromptFileError, match=r"p\.yaml:2: not UTF-8 .*; save it as UTF-8"):
        read_prompt(path)
    with pytest.raises(PromptFileError, match=r":1: can't be read \(Is a directory\)"):
        read_prompt(tmp_path)
    with pytest.raises(PromptFileError, match=r":1: can't be read \(No such file or directory\)"):
        read_prompt(tmp_path / "missing.yaml")


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

    path.write_text(dump_prompt("test_prompt_file.f", Prompt("Later words.")))
    assert f.prompt == Prompt("Later words.")
    system = f.messages(x="y")[0]
    assert system == {"role": "system", "content": "Later words."}


def test_the_loader_leaves_pyyaml_alone() -> None:
    code = (
        "import yaml, pytest_mipro.runtime.text.yaml_subset\n"
        "assert yaml.safe_load('a: yes') == {'a': True}\n"
        "assert yaml.safe_load('a: &x 1\\nb: *x')['b'] == 1\n"
        "assert yaml.safe_dump({'a': '1e5'}) == 'a: 1e5\\n'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
    assert yaml.safe_load("a: 2026-01-02")["a"].year == 2026
