"""The demos before a prompt text are read or an error: they are never sent as its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mipro.errors import PromptFileError
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import file_text, read_prompt
from pytest_mipro.runtime.signature.text_signature import text_signature

PROMPT = Prompt("Answer {q}.\n\n{demos}", (Demo("c1", {"q": "x"}, "y"),))


def read(path: Path, content: str, encoding: str = "utf-8") -> Prompt:
    path.write_bytes(content.encode(encoding))
    return read_prompt(path, text_signature(path))


@pytest.mark.parametrize("suffix", [".md", ".txt"])
def test_editors_and_hands_may_touch_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    content = file_text(path, path.name, PROMPT)
    assert read(path, content, "utf-8-sig") == PROMPT
    assert read(path, content.replace("\n", "\r\n"), "utf-8-sig") == PROMPT
    for before in ("# by hand\n", "\n", "# one\n\n  # two\r\n"):
        assert read(path, content.replace("demos:", f"{before}demos:", 1)) == PROMPT
    assert read(path, f"\n \r\n{content}") == PROMPT


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("title: x\ndemos: []\n", "a.md:2: unknown key 'title'; known: demos"),
        ("# x\n\ndemos: 3\n", "a.md:4: 'demos' must be a list"),
        ("\ndemos: [\n", r"a.md:\d: "),
    ],
)
def test_wrong_demos_are_an_error(tmp_path: Path, front: str, reason: str) -> None:
    with pytest.raises(PromptFileError, match=reason):
        read(tmp_path / "a.md", f"---\n{front}---\nAnswer.\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("---\ndemos: []\n---", "a.md:1: the instruction is empty"),
        (
            "---\ndemos: []\nAnswer.\n",
            "a.md:1: the demos that begin here have no end; put a line `---`",
        ),
        ("\n\n---\ndemos: 3\n---\nAnswer.", "a.md:4: 'demos' must be a list"),
        ("\n\n---\n# x\ndemos: []\n----\nAnswer.", "a.md:3: the demos that begin here"),
    ],
)
def test_demos_at_a_wrong_place_are_an_error(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(PromptFileError, match=reason):
        read(tmp_path / "a.md", content)


@pytest.mark.parametrize(
    "front",
    [
        "title: x\n",
        "tags: [a]\ndemos: http://x\n",
        "demo: 1\n",
        "a: [\n",
        "Show the\n  demos: then answer\n",
        "",
    ],
)
def test_front_matter_of_other_tools_is_text(tmp_path: Path, front: str) -> None:
    content = f"---\n{front}---\nAnswer."
    assert read(tmp_path / "a.md", content, "utf-8-sig") == Prompt(content)
