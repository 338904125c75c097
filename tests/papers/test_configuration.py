"""docs/configuration.md names every option, key, argument and hook there is, and no other."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from pytest_mipro import configure, lm_module
from pytest_mipro.optimizer.study.settings import OptimizerSettings, effort_sizes, least_units
from pytest_mipro.plugin import hookspecs
from pytest_mipro.plugin.collecting.marks import MetricMark
from pytest_mipro.plugin.config.options import EFFORTS, SETTINGS
from pytest_mipro.runtime.client.live.litellm_client import LiveSettings

DOCS = Path(__file__).parents[2] / "docs"


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


def rendered(table: str) -> list[str]:
    """Return the lines of a table of docs/configuration.md, made from the table of settings."""
    lines = []
    for row in SETTINGS:
        text = re.sub(r"docs/([a-z-]+\.md)", r"[\1](\1)", row.text).removesuffix(".")
        option = f"`{row.option}{row.kind.metavar and f'={row.kind.metavar}'}`".replace("|", r"\|")
        if table == "## Command line" and row.option:
            lines.append(f"| {option} | {row.shown_default} | {text} |")
        if table == "## Ini keys" and row.key:
            text = f"As `{row.option}`" if row.option else text
            lines.append(f"| `{row.key}` | {row.kind.ini} | {row.shown_default} | {text} |")
    return lines


@pytest.mark.parametrize("table", ["## Command line", "## Ini keys"])
def test_the_tables_of_settings_are_those_of_the_source(table):
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    section = text.partition(f"{table}\n")[2].partition("\n## ")[0]
    documented = [line for line in section.splitlines() if line.startswith("| `")]
    assert documented == rendered(table)


def test_the_settings_that_are_refused_without_optimize_are_named():
    text = " ".join((DOCS / "configuration.md").read_text(encoding="utf-8").split())
    named = text.partition("are refused when typed without `--mipro-optimize`")[0].rpartition(". ")
    refused = {row.option for row in SETTINGS if row.search}
    assert refused == set(re.findall(r"--mipro-[a-z-]+", named[2].rpartition(" | ")[2]))


def test_defaults_of_the_search_and_of_calls():
    documented = {key: cells[1] for key, cells in rows("configuration.md", "## Ini keys").items()}
    settings = OptimizerSettings()
    assert documented["mipro_minibatch_size"] == str(settings.minibatch_size)
    assert (documented["mipro_max_demos"], settings.max_demos) == ("what the tokens hold", None)
    assert documented["mipro_min_holdout"] == str(settings.min_holdout)
    assert float(documented["mipro_timeout"]) == LiveSettings().timeout


def test_efforts():
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for effort in EFFORTS:
        sizes = effort_sizes(effort)
        counts = [str(sizes[name]) for name in ("rounds", "trials", "candidates")]
        numbers = " | ".join([*counts, str(least_units(effort) or "any")])
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
