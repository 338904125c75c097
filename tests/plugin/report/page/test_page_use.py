"""What a person does with the report page in a headless Chromium, by mouse and by keyboard."""

from __future__ import annotations

from browser import needs_browser

pytestmark = needs_browser

ROWS = "[...document.querySelectorAll('.matrix tbody tr')]"
NAMES = f"{ROWS}.map((row) => row.querySelector('button').textContent)"
HEAD = "document.querySelector('.matrix th[data-key={}]')"


def test_500_cases_and_60_trials_are_drawn_within_2_seconds(browser, path):
    browser.look(1400, 900)
    browser.open(path)
    assert min(browser.open(path) for _ in range(3)) < 2
    assert browser.js(f"{ROWS}.length") == 500


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


def test_arrow_keys_read_a_chart(page):
    page.js("document.querySelector('.area').focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    told = page.js("document.querySelector('.told').textContent")
    assert told == "Trial 2: 0.410 by estimate from 16 rows; best 0.460; 580 calls so far"
