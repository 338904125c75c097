"""Prompt files that are refused: the error names the line, the value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_prompt import GOOD, HERE

from pytest_mipro.errors import PromptFileError
from pytest_mipro.runtime.prompts.prompt_file import parse_prompt, read_prompt
from pytest_mipro.runtime.signature.function_signature import FunctionSignature, signature_of

BOMB = "\n".join(
    [
        "a: &a [x]",
        *(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]" for i in range(9)),
    ]
)
DEMO = GOOD + "demos:\n- case: a\n  inputs: {x: b}\n  output: 1\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n"
CONFLICT = "<<<<<<< HEAD\nGo on.\n=======\nGo.\n>>>>>>> branch\n"
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
    "two documents": (GOOD + "---\n" + GOOD, 4, "a second document begins here; drop the line"),
    "control": (GOOD + "demos: \x00\n", 4, "the character U+0000 is not allowed"),
    "deep": (GOOD + "demos: " + "[" * 20_000, 1, "nested too deeply"),
    "no module": ("schema_version: 1\ninstruction: Go.\n", 1, "the key 'module' is missing"),
    "no version": ("module: desk.f\ninstruction: Go.\n", 1, "the key 'schema_version' is missing"),
    "later version": ("schema_version: 2\n", 1, "this release reads 1; update pytest-mipro"),
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
    "conflict": (GOOD + CONFLICT, 4, "an unresolved merge conflict; keep the lines that you want"),
    "pointer": (LFS, 1, "a pointer of Git LFS, not the file itself; run `git lfs pull`"),
    "other module": (
        GOOD.replace("desk.f", "desk.g"),
        2,
        "not to 'desk.f'; write `module: desk.f` if",
    ),
    "other inputs": (DEMO.replace("{x: b}", "{y: b}"), 6, "the inputs ['y'], not ['x']"),
    "more inputs": (DEMO.replace("{x: b}", "{x: b, y: c}"), 6, "the inputs ['x', 'y'], not ['x']"),
    "other output": (DEMO.replace("output: 1", "output: one"), 7, "'one' does not have the module"),
}


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


@pytest.mark.parametrize("name", ["p.md", "p.txt"])
def test_a_conflict_in_a_text_is_refused(signature: FunctionSignature, name: str) -> None:
    with pytest.raises(PromptFileError) as caught:
        parse_prompt(f"Read it.\n{CONFLICT}", Path(name), signature)
    assert str(caught.value).startswith(f"{name}:2: an unresolved merge conflict; ")


@pytest.mark.parametrize("name", ["p.md", "p.txt"])
def test_a_pointer_to_a_text_is_no_prompt(signature: FunctionSignature, name: str) -> None:
    with pytest.raises(PromptFileError, match="1: a pointer of Git LFS"):
        parse_prompt(LFS, Path(name), signature)


@pytest.mark.parametrize("text", ["Rules\n=======\nBe brief.", "Such as:\n\n    <<<<<<< HEAD\n"])
def test_a_text_that_shows_a_marker_is_a_prompt(signature: FunctionSignature, text: str) -> None:
    assert parse_prompt(text, Path("p.md"), signature).instruction == text.rstrip("\n")


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
