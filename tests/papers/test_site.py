"""The docs as a site: every page has its place, links lead somewhere, the build has no warnings."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
import yaml

import pytest_mipro
from pytest_mipro import errors, extending, pages
from pytest_mipro.plugin import hookspecs
from pytest_mipro.plugin.config.options import SETTINGS

ROOT = Path(__file__).parents[2]
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
PAGES = sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))
API = (ROOT / "docs/api.md").read_text(encoding="utf-8")


def leaves(nav: Any) -> list[str]:
    """Return the pages of a part of the navigation."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in leaves(part)]


def prose(text: str) -> str:
    """Return a page's text without its code blocks, whose `# …` lines are no titles."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)


def titles(path: Path) -> set[str]:
    """Return the anchors of a page's titles, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def test_the_navigation_holds_every_page_once():
    listed = [f"docs/{page}" for page in leaves(SITE["nav"])]
    assert sorted(listed) == [page.as_posix() for page in PAGES]


@pytest.mark.parametrize("page", [Path("README.md"), Path("CONTRIBUTING.md"), *PAGES], ids=str)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        aim = (path.parent / file) if file else path
        assert aim.exists(), target
        assert not anchor or anchor in titles(aim), target


def test_it_is_built_without_a_warning(tmp_path):
    pytest.importorskip("material", reason="pip install -e '.[docs]' installs what builds the site")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    configuration = (tmp_path / "site/configuration/index.html").read_text(encoding="utf-8")
    assert re.search(r"light(&#124;|\|)<wbr>medium", configuration)
    assert '<a href="../ci/">The gate in CI</a>' in configuration
    for page in (tmp_path / "site").rglob("index.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img)[^>]* src=\"(https?:[^\"]*)", text)
        loaded += re.findall(r"<link rel=\"stylesheet\" href=\"(https?:[^\"]*)", text)
        assert loaded == [], page


def adapted(text: str, page: str = "page.md") -> str:
    """Return a page's text as the site's hook adapts it."""
    spec: Any = importlib.util.spec_from_file_location("adapt", ROOT / "docs/site/adapt.py")
    adapt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapt)
    given = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    config = {"repo_url": "https://x.org/a/b/", "docs_dir": str(ROOT / "docs")}
    text = adapt.on_page_markdown(text, page=given, config=config)
    return str(text)


def test_links_out_of_the_docs_lead_into_the_repo():
    assert adapted("[a](../README.md#see)") == "[a](https://x.org/a/b/blob/main/README.md#see)"
    assert adapted("[a](../ci.md#x)", "moving/page.md") == "[a](../ci.md#x)"
    up = adapted("[a](../../benchmarks/run.py)", "moving/page.md")
    assert up == "[a](https://x.org/a/b/blob/main/benchmarks/run.py)"
    assert adapted("[a](ci.md#x) [b](https://y.org/../z)") == "[a](ci.md#x) [b](https://y.org/../z)"


def test_a_link_that_shows_a_file_shows_the_title_of_its_page():
    assert adapted("([ci.md](ci.md#reports))") == "([The gate in CI](ci.md#reports))"
    assert adapted("[the gate](ci.md) [x.md](y.md)") == "[the gate](ci.md) [x.md](y.md)"


def test_a_bar_in_code_is_a_bar():
    assert adapted(r"| `a\|<b>` | c |") == "| <code>a&#124;<wbr>&lt;b&gt;</code> | c |"
    assert adapted("`a|b`") == "`a|b`"


def test_the_reference_has_every_public_object():
    shown = re.findall(r"^::: ([\w.]+)$", API, re.MULTILINE)
    public = {
        f"{value.__module__}.{value.__name__}"
        for home in (pytest_mipro, extending)
        for name in home.__all__
        for value in [getattr(home, name)]
        if isinstance(value, (type, FunctionType)) and value is not tuple
    }
    assert public <= set(shown)
    assert {hookspecs.__name__, errors.__name__} <= set(shown)
    for name in shown:
        module, _, member = name.rpartition(".")
        if name not in (hookspecs.__name__, errors.__name__):
            assert hasattr(importlib.import_module(module), member)


def strings_of(source: str) -> set[str]:
    """Return the texts in a source, docstrings aside."""
    nodes = list(ast.walk(ast.parse(source)))
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = (n for n in nodes if isinstance(n, ast.Constant) and id(n) not in said)
    return {node.value for node in texts if isinstance(node.value, str)}


def test_pages_that_messages_name_are_there_and_reached_from_a_wheel(pytester):
    """A message gives an address; texts of `--help` name pages of the folder that it gives."""
    named = {page for row in SETTINGS for page in re.findall(r"docs/([\w-]+\.md)", row.text)}
    assert "ci.md" in named
    for path in Path(pytest_mipro.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"\bpage\(['\"]([^'\"]+)", source))
        if "docs/" in source and path.name != "options.py":
            wrong = [text for text in strings_of(source) if re.search(r"docs/[\w-]*\.md", text)]
            assert wrong == [], f"{path}: use `page`"
    assert "own-client.md#with-a-prompt-from-a-file" in named
    for name, _, heading in (each.partition("#") for each in sorted(named)):
        titles = re.findall(r"^#+ (.*)$", (ROOT / "docs" / name).read_text("utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in titles}
        assert not heading or heading in slugs, f"{name}#{heading}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert pages.page("").rstrip("/") == pages.DOCS == project["urls"]["Documentation"]
    pytester.runpytest("--help").stdout.fnmatch_lines([f"*{pages.DOCS}*"])
