"""The report page in a headless Chromium: what a person does with it, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import BROWSER, Page, opened_browser
from gate_project import TESTS, write_gate

from pytest_mipro.plugin.report.page.page import report_page
from pytest_mipro.plugin.report.page.texts import Texts

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium is installed (Debian: chromium)")

EVIL = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
ROWS = "[...document.querySelectorAll('.matrix tbody tr')]"
NAMES = f"{ROWS}.map((row) => row.querySelector('button').textContent)"
HEAD = "document.querySelector('.matrix th[data-key={}]')"


def study(texts: Texts, detailed: int, cases: int = 500, trials: int = 60) -> dict[str, Any]:
    """Return a study of two modules; every text that a model or a user gives is an attack."""

    def evil(words: str) -> int:
        return texts.add(f"{words} {EVIL}")

    def call(n: int, when: str) -> dict[str, Any]:
        told = {"module": texts.add("desk.choose"), "model": texts.add("m"), "tokens": 90}
        return {
            **told,
            "reply": evil(f"{when} reply {n}"),
            "lead": 0,
            "asked": ["user", evil(f"ticket {n}")],
        }

    def step(n: int) -> dict[str, Any]:
        given = {"inputs": evil(f"query {n}"), "output": evil(f"found {n}")}
        return {"step": True, "module": evil("search"), **given, "seconds": 0.254, "cached": True}

    def case(n: int) -> dict[str, Any]:
        before, now, test = n % 2, (n % 3) / 2, "test_queue" if n % 5 else "test_reply"
        runs = [
            {"score": score, "feedback": evil(f"{when} feedback {n}")}
            | {"calls": [step(n), call(n, when)]}
            for when, score in (("before", before), ("now", now))
        ]
        return {
            "id": f"{test}[T-{n:03}{EVIL if n == 7 else ''}]",
            "test": test,
            "row": f"tickets.jsonl:T-{n:03}",
            "part": ("train", "validation", "holdout")[n // 3 % 3],
            "before": before,
            "now": now,
            "leaders": [((n + k) % 5) / 4 if n % 4 else None for k in range(12)],
            "runs": runs,
        }

    made = [
        {"number": n, "program": n, "round": 1, "full": n % 9 == 0, "rows": 16, "cost": n / 9}
        | {"estimate": 0.4 + 0.3 * n / trials, "best": 0.45 + 0.3 * n / trials}
        | {"dropped": "", "calls": 500 + 40 * n, "tokens": 9_000 * n}
        for n in range(1, trials + 1)
    ]
    plan = {"strategy": "grounded", "tip": "none", "examples": "mixed", "temperature": 1}
    by = {**plan, "round": 1, "dataset": True, "program": False, "model": EVIL}
    words = "Choose the queue."
    module = {
        "name": "desk.choose",
        "model": "m",
        "written": True,
        "chosen": [1, 1],
        "instructions": [
            {"text": texts.add(words), "origin": 0, "effect": None, "by": None},
            {"text": texts.add(f"{words} Think. {EVIL}"), "origin": 0, "effect": 0.1}
            | {"by": {**by, "saw": [["system", evil("seen")]], "said": evil("said")}},
        ],
        "demo_sets": [
            {"demos": [], "way": "", "effect": None},
            {"demos": [0], "way": "random", "effect": -0.02},
        ],
    }
    interval = {"objective": 0.5, "interval": [0.4, 0.6], "tests": {"test_queue": 0.5}}
    measured = {**interval, "cases": cases, "rows": cases}
    return {
        "kind": "optimization",
        "summary": {
            "reason": f"better {EVIL}",
            "ended": "",
            "demand": "",
            "verdict": "accept",
            "accepted": True,
            "lift": {"mean": 0.1, "low": 0.02, "high": 0.2},
            "base": 0.4,
            "decided_on": "holdout",
            **dict.fromkeys(("before", "after", "deciding_before", "deciding_after"), measured),
            "rows": {"train": 1, "validation": 2, "holdout": 3},
            **dict.fromkeys(("trials", "programs", "calls", "asked", "live", "looks"), trials),
            "billed": 1.5,
            "models": [EVIL],
            "changed": ["desk.choose"],
        },
        "modules": [module],
        "demos": [{"case": EVIL, "inputs": evil("inputs"), "output": evil("output")}],
        "programs": [
            {"number": n, "assignment": [1, 1], "estimate": 0.5, "rows": 16, "full": n % 9 == 0}
            | {"dropped": "", "tokens": 90, "cost": 0.01}
            | {"finalist": n == trials, "committed": False}
            for n in range(trials, 0, -1)
        ],
        "trials": made,
        "leaders": list(range(trials, trials - 12, -1)),
        "cases": [case(n) for n in range(cases)],
        "leads": [[["system", evil("system")]]],
        "refused": [{"what": EVIL, "why": EVIL, "text": evil("refused")}],
        "learnt": [
            {"choice": "tip", "value": EVIL, "effect": 0.01, "deviation": 0.02, "lessons": 3}
        ],
        "spending": [
            {"stage": "search", "module": EVIL, "model": "m", "live": 1}
            | {"calls": 10, "tokens": 100, "cost": 0.1}
        ],
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with opened_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(report_page(f"{EVIL}.mipro.json", study, str), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Page, path: Path) -> Iterator[Page]:
    browser.look(1400, 900)
    browser.problems.clear()
    browser.requested.clear()
    browser.open(path)
    yield browser
    assert not browser.problems
    assert set(browser.requested) == {path.as_uri()}


def test_500_cases_and_60_trials_are_drawn_within_2_seconds(browser, path):
    browser.look(1400, 900)
    browser.open(path)
    assert min(browser.open(path) for _ in range(3)) < 2
    assert browser.js(f"{ROWS}.length") == 500


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


def test_a_click_on_a_head_sorts_and_another_turns_it(page):
    assert page.js(f"{HEAD.format('gain')}.getAttribute('aria-sort')") == "ascending"
    gains = f"{ROWS}.map((row) => row.querySelector('td.number').textContent)"
    assert page.js(gains)[0] == "\N{MINUS SIGN}1.00"
    page.click(f"{HEAD.format('gain')}.firstChild")
    assert page.js(gains)[0] == "+1.00"
    assert page.js(f"{HEAD.format('gain')}.getAttribute('aria-sort')") == "descending"
    page.click(f"{HEAD.format('id')}.firstChild")
    names = page.js(NAMES)
    assert names == sorted(names)
    page.click(f"{HEAD.format('leader0')}.firstChild")
    cells = page.js(f"{ROWS}.map((row) => row.children[6].textContent)")
    assert cells[0] == "1"
    assert cells[-1] == "·"  # not measured: last, whichever way it is sorted


def test_filters_leave_what_they_say(page):
    choose = "((field, value) => {{ field.value = value; field.dispatchEvent(new Event('{}')) }})"
    page.js(f"{choose.format('change')}(document.querySelector('select[name=kind]'), 'worse')")
    left = page.js(f"{ROWS}.map((row) => row.querySelector('td.number').textContent[0])")
    assert set(left) == {"\N{MINUS SIGN}"}
    told = page.js("document.querySelector('.filters output').textContent")
    assert told == f"{len(left)} of 500 cases"
    page.js(f"{choose.format('change')}(document.querySelector('select[name=part]'), 'holdout')")
    assert set(page.js(f"{ROWS}.map((row) => row.children[2].textContent)")) == {"holdout"}
    page.js(f"{choose.format('change')}(document.querySelector('select[name=kind]'), 'all')")
    page.js(f"{choose.format('change')}(document.querySelector('select[name=part]'), '')")
    page.js(f"{choose.format('input')}(document.querySelector('input[name=find]'), 't-12')")
    assert sorted(page.js(NAMES)) == ["T-012", *(f"T-12{n}" for n in range(10))][1:]


def test_a_case_is_opened_read_left_and_the_focus_comes_back(page):
    first, second = page.js(f"{NAMES}.slice(0, 2)")
    page.js(f"{ROWS}[0].querySelector('button').focus()")
    page.press("Enter")
    assert page.js("document.querySelector('dialog').open")
    assert page.js("document.activeElement.textContent") == first
    number = int(first[2:])
    text = page.js("document.querySelector('dialog').innerText")
    for part in (
        f"before feedback {number} ",
        f"now reply {number} ",
        "1 call, 1 step",
        "2 messages sent",
        "step · 0.25 s · cached",
        f"query {number} ",
    ):
        assert part in text
    assert text.index(f"found {number} ") < text.index(f"before reply {number} ")
    page.press("ArrowRight")
    assert page.js("document.activeElement.textContent") == second
    page.press("ArrowLeft")
    assert page.js("document.activeElement.textContent") == first
    page.press("Tab")
    assert page.js("document.activeElement.closest('dialog') !== null")
    page.press("Escape")
    assert not page.js("document.querySelector('dialog').open")
    assert page.js("document.activeElement.textContent") == first


def test_every_control_is_reached_by_tab_and_has_a_name(page):
    named = """[...document.querySelectorAll('button, select, input, [role=img], [role=region]')]
        .filter((each) => !each.getAttribute('aria-label') && !each.closest('label'))
        .filter((each) => !each.textContent).map((each) => each.outerHTML)"""
    assert page.js(named) == []
    seen = []
    for _ in range(60):
        page.press("Tab")
        seen.append(page.js("document.activeElement.tagName + document.activeElement.className"))
    assert seen[0] == "Askip"
    assert {"A", "DIVarea", "SELECT", "SUMMARY", "INPUT"} <= set(seen)


def test_a_screen_reader_finds_its_way_by_headings_landmarks_and_captions(page):
    page.js("document.querySelector('.matrix tbody button').click()")
    levels = page.js("[...document.querySelectorAll('h1, h2, h3, h4')].map((e) => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    names = page.js("""[...document.querySelectorAll(
        'section, nav, [role=region], [role=search], dialog')].map((each) =>
        each.getAttribute('aria-label') ??
        document.getElementById(each.getAttribute('aria-labelledby'))?.textContent)""")
    assert all(names)
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    bare = "[...document.querySelectorAll('table')].filter((e) => !e.caption?.textContent).length"
    assert page.js(bare) == 0
    assert page.js("document.querySelectorAll('main').length") == 1
    assert page.js("document.documentElement.lang") == "en"


def test_arrow_keys_read_a_chart(page):
    page.js("document.querySelector('.area').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    told = page.js("document.querySelector('.told').textContent")
    assert told == "Trial 2: 0.410 by estimate from 16 rows; best 0.460; 580 calls so far"


def test_an_instruction_is_shown_as_its_difference(page):
    added = page.js("[...document.querySelectorAll('.diff ins')].map((each) => each.textContent)")
    assert "".join(added).startswith(" Think.")
    assert page.js("document.querySelectorAll('.diff del').length") == 0


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window_and_all_can_be_read(page, path, width, dark):
    page.look(width, 900, dark=dark)
    page.open(path)
    assert page.js("document.documentElement.scrollWidth") <= width
    held = "(() => {const e = document.querySelector('#summary .scroll');"
    assert page.js(f"{held} return e.scrollWidth <= e.clientWidth}})()"), "before, after and change"
    assert page.js(f"({_CONTRAST})()") == []
    assert page.js("document.querySelectorAll('.area canvas').length") == 2


_CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((each) => each / 255)
      .map((each) => (each <= 0.04 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    const found = getComputedStyle(each).backgroundColor;
    return found === "rgba(0, 0, 0, 0)" && each.parentElement ? ground(each.parentElement) : found;
  };
  const poor = new Set();
  for (const each of document.querySelectorAll("main *, nav *, header *")) {
    const words = [...each.childNodes].filter((node) => node.nodeType === 3);
    if (!words.some((node) => node.textContent.trim())) continue;
    if (each.closest("button:disabled, .uplot, .hidden, svg")) continue;
    const [a, b] = [light(getComputedStyle(each).color), light(ground(each))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(`${each.tagName}.${each.className}`);
  }
  return [...poor];
}"""
"""Names elements whose text has less contrast than WCAG 2.2 asks for (1.4.3, level AA)."""


def test_it_prints_in_light_colours_without_controls(page, path):
    page.look(1000, 900, dark=True)
    page.open(path)
    page.js("dispatchEvent(new Event('beforeprint'))")
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(252, 252, 250)"
    hidden = "getComputedStyle(document.querySelector('{}')).display"
    assert page.js(hidden.format(".filters")) == page.js(hidden.format(".contents")) == "none"
    page.look(1000, 900, dark=True)
    page.js("dispatchEvent(new Event('afterprint'))")
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"


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
