"""What the report page shows in a headless Chromium: markup as text, differences, gate cases."""

from __future__ import annotations

import re
from typing import Any

from browser import needs_browser
from gate_project import TESTS, write_gate
from page_study import EVIL, study

from pytest_mipro.plugin.report.page.case_runs import rounded
from pytest_mipro.plugin.report.page.page import report_page
from pytest_mipro.plugin.report.page.texts import Texts

pytestmark = needs_browser


def test_markup_in_values_is_shown_and_never_run(page):
    page.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.js("document.querySelector('.matrix tbody button').click()")
    page.js("new Promise((done) => setTimeout(done, 100))")
    assert page.js("window.ran") is None
    assert page.js("document.querySelectorAll('img').length") == 0
    assert page.js("document.querySelectorAll('script').length") == 2
    shown = page.js("document.body.innerText")
    for where in ("better", "seen", "said", "inputs", "before feedback", "now reply", "refused"):
        assert re.search(rf"{where}( \d+)? {re.escape(EVIL)}", shown), where


def test_the_policy_stops_what_a_defect_would_let_in(browser, path):
    browser.look(1400, 900)
    browser.open(path)
    browser.js("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='ran = 1'>`)")
    script = "Object.assign(document.createElement('script'), {text: 'ran = 2'})"
    browser.js(f"document.body.append({script})")
    browser.js("new Promise((done) => setTimeout(done, 100))")
    assert browser.js("window.ran") is None
    assert browser.problems


def test_an_instruction_is_shown_as_its_difference(page):
    added = page.js("[...document.querySelectorAll('.diff ins')].map((each) => each.textContent)")
    assert "".join(added).startswith(" Think.")
    assert page.js("document.querySelectorAll('.diff del').length") == 0


def test_the_page_of_a_gate_is_drawn_and_its_cases_open(browser, pytester):
    write_gate(pytester, TESTS.replace("threshold=0.1", "threshold=0.9"))
    pytester.runpytest("--mipro-report")
    (path,) = (pytester.path / ".mipro" / "report").glob("*/gate.html")
    browser.look(1400, 900)
    browser.problems.clear()
    browser.open(path)
    assert "FAILED" in browser.js("document.querySelector('#summary').innerText").upper()
    browser.js("document.querySelector('.matrix tbody button').click()")
    shown = browser.js("document.querySelector('dialog').innerText")
    assert "wanted" in shown
    assert "messages sent" in shown
    assert not browser.problems


def test_modules_and_prompt_texts_are_named_short(browser, tmp_path):
    names = {
        "desk.choose": "choose",
        "desk.choose@gpt-4.1-mini": "choose@gpt-4.1-mini",
        "route.md": "route.md",
        "route.md@acme": "route.md@acme",
        "desk.judge (prompts/first.yaml)": "judge",
    }

    def named(texts: Texts, detailed: int) -> dict[str, Any]:
        made = study(texts, detailed, cases=9, trials=3)
        (module,) = made["modules"]
        return {**made, "modules": [{**module, "name": name} for name in names]}

    path = tmp_path / "index.html"
    path.write_text(report_page("s.mipro.json", named, str), encoding="utf-8")
    browser.open(path)
    shown = "[...document.querySelectorAll('#modules strong')].map((each) => each.textContent)"
    assert browser.js(shown) == list(names.values())


def test_figures_are_rounded_as_on_the_terminal(page):
    parts = (1, 3, 7, 16, 32, 48, 80, 1_000, 2_000)
    values = [sign * n / of for of in parts for n in range(of + 1) for sign in (1, -1)]
    for digits in (2, 3):
        shown = page.js(f"{values}.map((each) => fixed(each, {digits}))")
        assert shown == [f"{value or 0.0:.{digits}f}" for value in values]
        kept = page.js(f"{[rounded(it) for it in values]}.map((each) => fixed(each, {digits}))")
        assert kept == shown


def test_where_nothing_better_was_found_there_is_no_column_of_it(browser, tmp_path):
    def nothing(texts: Texts, detailed: int) -> dict[str, Any]:
        made = study(texts, detailed, cases=9, trials=3)
        cases = [{**case, "now": None, "runs": case["runs"][:1]} for case in made["cases"]]
        known = {"verdict": "", "accepted": False, "lift": None, "deciding_after": None}
        return {**made, "cases": cases, "summary": {**made["summary"], **known, "after": None}}

    path = tmp_path / "index.html"
    path.write_text(report_page("s.mipro.json", nothing, str), encoding="utf-8")
    browser.look(1400, 900)
    browser.problems.clear()
    browser.open(path)
    heads = browser.js(
        "[...document.querySelectorAll('.matrix th[data-key]')].map((e) => e.dataset.key)"
    )
    assert heads[:5] == ["id", "test", "part", "before", "leader0"]
    assert "nothing better found" in browser.js("document.querySelector('#summary').innerText")
    browser.js("document.querySelector('.matrix tbody button').click()")
    assert "not measured" in browser.js("document.querySelector('dialog').innerText")
    assert not browser.problems
