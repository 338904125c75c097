"""docs/configuration.md names every option, key, argument and hook there is, and no other."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mipro import configure, lm_module
from pytest_mipro.optimizer.study.settings import OptimizerSettings, effort_sizes
from pytest_mipro.plugin import hookspecs
from pytest_mipro.plugin.collecting.marks import MetricMark
from pytest_mipro.plugin.config.options import EFFORTS
from pytest_mipro.runtime.client.litellm_client import LiveSettings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def help_text(tmp_path_factory):
    command = [sys.executable, "-m", "pytest", "--help", "-p", "no:cacheprovider"]
    folder = tmp_path_factory.mktemp("empty")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return re.sub(r"\s+", " ", done.stdout)


def rows(document: str, heading: str) -> dict[str, list[str]]:
    """Return the table rows under a heading, by the code in their first cell."""
    text = (DOCS / document).read_text(encoding="utf-8")
    section = text.partition(f"{heading}\n")[2].partition("\n## ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].startswith("`"):
            found[cells[0].strip("`").replace("\\|", "|")] = cells[1:]
    return found


def default_in(words: str) -> str | None:
    match = re.search(r"\(default (\w+)\)", words)
    return match.group(1) if match else None


def test_every_option_is_documented_as_help_has_it(help_text):
    shown = set(re.findall(r"(--mipro-[a-z-]+(?:=\S+)?) ", help_text))
    named = {option for option in shown if "=" in option}
    bare = {option for option in shown if not any(o.startswith(f"{option}=") for o in named)}
    assert set(rows("configuration.md", "## Command line")) == named | bare
    assert len(named | bare) >= 11


def test_every_ini_key_is_documented_with_its_type(help_text):
    shown = dict(re.findall(r"(mipro_\w+) \((\w+)\):", help_text))
    documented = rows("configuration.md", "## Ini keys")
    assert {key: cells[0] for key, cells in documented.items()} == shown
    assert len(shown) >= 13


def test_defaults_are_those_of_help(help_text):
    tables = {
        **rows("configuration.md", "## Command line"),
        **{key: cells[1:] for key, cells in rows("configuration.md", "## Ini keys").items()},
    }
    checked = 0
    for name, cells in tables.items():
        words = re.search(
            rf"{re.escape(name)}(?: \(\w+\):)? (.*?)(?= --?[a-z]| mipro_|$)", help_text
        )
        assert words, name
        if default := default_in(words.group(1)):
            assert cells[0] == default, name
            checked += 1
    assert checked >= 6


def test_defaults_of_the_search_and_of_calls():
    documented = {key: cells[1] for key, cells in rows("configuration.md", "## Ini keys").items()}
    settings = OptimizerSettings()
    assert documented["mipro_minibatch_size"] == str(settings.minibatch_size)
    assert documented["mipro_max_demos"] == str(settings.max_demos)
    assert documented["mipro_min_holdout"] == str(settings.min_holdout)
    assert float(documented["mipro_timeout"]) == LiveSettings().timeout


def test_efforts():
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for effort in EFFORTS:
        sizes = effort_sizes(effort)
        numbers = " | ".join(str(sizes[name]) for name in ("rounds", "trials", "candidates"))
        assert f"| {effort} | {numbers} |" in text


def test_every_mark_argument_is_documented():
    documented = rows("writing-tests.md", "## The mark's arguments")
    assert set(documented) == set(MetricMark.__dataclass_fields__)


@pytest.mark.parametrize("function", [lm_module, configure])
def test_every_argument_in_code_is_documented(function):
    documented = rows("configuration.md", "## In code")
    assert set(inspect.signature(function).parameters) - {"function"} <= set(documented)


def test_every_hook_is_documented():
    hooks = {
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("pytest_mipro_")
    }
    assert set(rows("configuration.md", "## Hooks")) == hooks
