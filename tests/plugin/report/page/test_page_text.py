"""The report page as text: its policy, its size, and its values, which are data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimize_project import optimize, private_files, write_project

import pytest_mipro.plugin.report.page
from pytest_mipro.plugin.report.page.page import MAX_BYTES, report_page
from pytest_mipro.plugin.report.page.texts import Texts, page_json

ASSETS = Path(pytest_mipro.plugin.report.page.__path__[0]) / "assets"
OURS = sorted(path for path in ASSETS.glob("*.js") if not path.name.startswith("uPlot"))
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u2028<!--"


def data_of(page: str) -> Any:
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def made(study: str = "s.mipro.json", **more: Any) -> str:
    return report_page(study, lambda texts, detailed: {"cases": [], **more}, str)


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_policy_allows_the_one_script_and_style_alone():
    page = made()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}


def test_it_loads_nothing_and_names_no_address():
    for tag, attributes in Elements(made()).found:
        assert not {"src", "href", "style", "srcset"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")]
    comment, namespace = "https://github.com/leeoniya/uPlot", "http://www.w3.org/2000/svg"
    assert set(re.findall(r"https?://[^\s'\")]+", made())) == {comment, namespace}


def test_the_picture_in_the_docs_is_small_and_there():
    docs = Path(__file__).parents[4] / "docs"
    (name,) = re.findall(r"!\[[^\]]+\]\((images/[\w.]+)\)", (docs / "report.md").read_text())
    assert 10_000 < (docs / name).stat().st_size < 300_000


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_scripts_write_text_alone(path: Path):
    script = path.read_text(encoding="utf-8")
    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", script
    )
    assert not found
    assert script.count("\n") < 300


@given(st.text() | st.just(EVIL))
def test_values_come_back_unchanged_and_end_no_element(value: str):
    text = page_json({value: [value]})
    assert json.loads(text) == {value: [value]}
    assert not set("<>&\u2028\u2029") & set(text)


def test_markup_in_a_study_name_is_no_element():
    tags = [tag for tag, _ in Elements(made(f"{EVIL}.mipro.json", title=EVIL)).found]
    assert tags.count("script") == 2
    assert "img" not in tags


def test_texts_are_cut_where_the_room_ends():
    texts = Texts(str)
    numbers = [texts.add(text) for text in ("short", "ä" * 5_000, "b" * 90_000, "short")]
    assert numbers == [0, 1, 2, 0]
    shown = texts.within(9_000)
    assert shown is not None
    assert shown[0] == "short"
    assert all(re.search(r"… \(\d[\d,]* more characters\)$", text) for text in shown[1:])
    assert len(page_json(shown).encode()) <= 9_000
    assert len(shown[2]) > 4_000
    assert texts.within(200_000) == ["short", "ä" * 5_000, "b" * 90_000]
    assert texts.within(100) is None


def test_credentials_are_hidden_before_a_text_is_cut():
    texts = Texts(lambda text: text.replace("secret", "[hidden]"))
    texts.add("x" * 500 + "secret" * 500)
    shown = texts.within(600)
    assert shown is not None
    assert "secre" not in shown[0].replace("[hidden]", "")


@pytest.mark.parametrize("name", ["case {}", "{}" * 600], ids=["short ids", "long ids"])
def test_a_large_study_stays_below_the_limit(name):
    def contents(texts: Texts, detailed: int) -> dict[str, Any]:
        cases: list[dict[str, Any]] = [{"id": name.format(*[n] * 600)} for n in range(5_000)]
        for n in range(min(detailed, 5_000)):
            cases[n]["runs"] = [texts.add(f"{n} " * 900)]
        return {"cases": cases}

    page = report_page("s.mipro.json", contents, str)
    assert len(page.encode()) <= MAX_BYTES
    data = data_of(page)
    assert len(data["cases"]) + data["left_out"] == 5_000
    assert data["cases"][0]["runs"]


def test_an_optimisation_leaves_a_page_with_all_that_happened(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-json=out.json")
    (name,) = [name for name in private_files(pytester.path) if name.endswith(".html")]
    assert re.fullmatch(r"report/test_numbers-\w{8}/index\.html", name)
    result.stdout.fnmatch_lines([f"*mipro: report page .mipro/{name}*"])
    data = data_of((pytester.path / ".mipro" / name).read_text(encoding="utf-8"))
    (told,) = json.loads((pytester.path / "out.json").read_text())["optimizations"]
    assert [trial["number"] for trial in data["trials"]] == [t["number"] for t in told["trials"]]
    assert data["trials"][-1]["calls"] <= told["calls"]
    assert data["summary"]["after"]["objective"] == told["after"]["objective"]
    (module,) = data["modules"]
    instruction, _ = module["chosen"]
    chosen = data["texts"][module["instructions"][instruction]["text"]]
    assert chosen in (pytester.path / "prompts/pipeline.parity.yaml").read_text() or not instruction
    new = module["instructions"][1]
    assert new["by"]["strategy"] in ("grounded", "reflective")
    assert "instruction" in data["texts"][new["by"]["saw"][0][1]]
    assert len(data["cases"]) == 40
    assert {case["part"] for case in data["cases"]} == {"train", "validation", "holdout"}
    case = data["cases"][0]
    before, now = case["runs"]
    (call,) = before["calls"]
    assert data["texts"][call["asked"][1]].startswith("<number>")
    (role, number), *_ = data["leads"][call["lead"]]
    assert (role, data["texts"][number].splitlines()[0]) == (
        "system",
        "Say whether the number is odd.",
    )
    assert data["texts"][call["reply"]] in ("odd", "even")
    assert now["score"] == case["now"]
    assert sum(entry["calls"] for entry in data["spending"]) == told["calls"]
    assert {"1.0", "0.7"} == {e["value"] for e in data["learnt"] if e["choice"] == "temperature"}
    assert any(program["finalist"] for program in data["programs"])


def test_a_search_that_finds_nothing_has_a_page(pytester):
    write_project(pytester, conftest="\ndef skill(messages): return 0.5\n")
    optimize(pytester)
    (name,) = [name for name in private_files(pytester.path) if name.endswith(".html")]
    data = data_of((pytester.path / ".mipro" / name).read_text(encoding="utf-8"))
    assert not data["summary"]["accepted"]
    assert len(data["cases"]) == 40


def test_a_page_that_cant_be_written_fails_no_run(pytester):
    write_project(pytester)
    (pytester.path / ".mipro").mkdir()
    (pytester.path / ".mipro" / "report").write_text("in the way")
    result = optimize(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*mipro: no report page: *"])
