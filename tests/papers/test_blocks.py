"""Every code block of the docs: its reader takes it, and what it names of this package is there.

Files and commands of a page are run by the page's own test; this one leaves no block unread.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Callable

import pytest
import yaml
from pages import ROOT, steps

from pytest_mipro.plugin.config.options import SETTINGS

OPTIONS = {row.option for row in SETTINGS if row.option}
KEYS = {row.key for row in SETTINGS if row.key}
BLOCKS = [
    pytest.param(language, text, id=f"{path.stem}-{number}")
    for path in sorted((ROOT / "docs").rglob("*.md"))
    for number, (_, language, text) in enumerate(steps(path.relative_to(ROOT / "docs").as_posix()))
]


def read_python(text: str) -> None:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_mipro"):
            home = importlib.import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(home, alias.name)] == []


def read_ini(text: str) -> None:
    parser = configparser.ConfigParser(allow_no_value=True)
    parser.read_string(text)
    assert {key for part in parser.values() for key in part if key.startswith("mipro_")} <= KEYS


def read_toml(text: str) -> None:
    keys = tomllib.loads(text).get("tool", {}).get("pytest", {}).get("ini_options", {})
    assert {key for key in keys if key.startswith("mipro_")} <= KEYS


def read_shell(text: str) -> None:
    for line in text.splitlines():
        command = shlex.split(line.removeprefix("$ "), comments=True) if "mipro" in line else []
        given = {word.partition("=")[0] for word in command if word.startswith("--mipro-")}
        assert given <= OPTIONS


def read_diff(text: str) -> None:
    assert re.fullmatch(r"(?:[-+ @].*\n)*", text)


READERS: dict[str, Callable[[str], object]] = {
    "python": read_python,
    "ini": read_ini,
    "toml": read_toml,
    "json": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
    "yaml": yaml.safe_load,
    "sh": read_shell,
    "console": lambda text: read_shell("\n".join(re.findall(r"^\$ .+$", text, re.MULTILINE))),
    "diff": read_diff,
    "text": str,
    "": str,  # what a run prints
}


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_a_block_is_what_it_says(language: str, text: str) -> None:
    assert language in READERS
    READERS[language](text)
