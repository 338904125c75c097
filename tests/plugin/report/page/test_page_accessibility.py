"""Who can read the report page: by tab, screen reader, in any window, theme and print."""

from __future__ import annotations

from itertools import pairwise

import pytest
from browser import needs_browser

pytestmark = needs_browser


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
