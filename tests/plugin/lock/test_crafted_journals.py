"""A journal that is damaged, or made by others, is put aside, and writes nothing."""

from pathlib import Path

import pytest
from journal_disk import NEW, OLD

from pytest_mipro.plugin.lock import write_journal
from pytest_mipro.plugin.lock.write_journal import (
    roll_forward,
)
from pytest_mipro.runtime.prompts.prompt_file import parse_prompt


def entry(path: object, text: object = NEW["prompts/a.yaml"], replaces: object = "") -> dict:
    return {"path": path, "text": text, "replaces": replaces}


@pytest.mark.parametrize(
    "entries",
    [
        "{",
        "[" * 100_000,
        "null",
        {"path": "x"},
        [{"path": "x"}],
        [entry(5)],
        [entry("prompts/c.yaml", text=5)],
        [entry("prompts/c.yaml", replaces=None)],
        [entry("prompts/c\0.yaml")],
    ],
    ids=range(9),
)
def test_what_is_no_journal_is_put_aside_with_one_line(disk, entries):
    disk.journal(entries)
    (line,) = roll_forward(disk.private, disk.root).put_aside
    assert "not a journal of pytest-mipro; kept as pending-writes.unusable" in line
    assert "\n" not in line
    assert disk.files == OLD
    assert roll_forward(disk.private, disk.root) == write_journal.RolledForward()


def test_a_journal_with_such_a_text_ends_no_later_run(disk):
    disk.journal([entry(str(disk.root / "prompts/b.yaml"), NEW["prompts/b.yaml"] + "# \ud800")])
    assert "not a journal" in roll_forward(disk.private, disk.root).put_aside[0]
    assert disk.files == OLD


# A prompt that is a Python expression too.
CODE = '{"schema_version": 1, "module": __import__("os").getcwd(), "instruction": "x"}\n'


def test_the_code_is_a_prompt_to_its_parser():
    assert parse_prompt(CODE, Path("a.yaml"))
    compile(CODE, "conftest.py", "eval")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("../evil.yaml", NEW["prompts/a.yaml"]),
        ("prompts/../../evil.yaml", NEW["prompts/a.yaml"]),
        ("link/evil.yaml", NEW["prompts/a.yaml"]),
        (".git/evil.yaml", NEW["prompts/a.yaml"]),
        ("conftest.py", "import os"),
        ("conftest.py", CODE),
        ("prompts/a.yaml.py", CODE),
        ("prompts/a.YAML", NEW["prompts/a.yaml"]),
        ("prompts/new.md", "A text prompt that no module names."),
        ("prompts/yaml", NEW["prompts/a.yaml"]),
        ("test_a.json", NEW["test_a.mipro.json"]),
        ("evil.yaml", "not: a prompt"),
        ("evil.mipro.json", NEW["prompts/a.yaml"]),
    ],
)
def test_a_crafted_journal_writes_nothing_at_all(disk, path, text):
    (disk.root / "link").symlink_to(disk.root.parent)
    (disk.root / ".git").mkdir()
    before = sorted(disk.root.parent.rglob("*"))
    good = entry(str(disk.root / "prompts/b.yaml"), NEW["prompts/b.yaml"])
    disk.journal([good, entry(str(disk.root / path), text)])
    assert "nothing written" in roll_forward(disk.private, disk.root).put_aside[0]
    new = {disk.private / f"pending-writes.{end}" for end in ("lock", "unusable")}
    assert set(disk.root.parent.rglob("*")) == {*before, *new}
