"""The area as rich draws it, at widths and in colours that the test sets."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text
from watched_study import TRIALS, leader, measured, plan

from pytest_mipro.optimizer.run.events import BaselineMeasured, StageProgress, StageStarted
from pytest_mipro.plugin.optimise.screen.live_area import AboveArea, area, live_area
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch


def a_watch(*more) -> StudyWatch:
    watch = StudyWatch("tests/test_a.py", clock=lambda: 0.0)
    baseline = BaselineMeasured("s", measured(0.5), ())
    for event in (baseline, plan(), StageStarted("s", "search", TRIALS), leader(0.75), *more):
        watch(event)
    return watch


def drawn(width: int, *more) -> list[str]:
    console = Console(file=io.StringIO(), width=width, no_color=True, force_terminal=True)
    with console.capture() as captured:
        console.print(area(a_watch(*more), width))
    return [Text.from_ansi(line).plain.rstrip() for line in captured.get().splitlines()]


def test_the_area_has_title_stage_and_figures():
    lines = drawn(160, StageProgress("s", "decision", 3, 20))
    assert lines[0].startswith("mipro: tests/test_a.py ─")
    assert [line[:12].rstrip() for line in lines[1:]] == [
        "decision",
        "score",
        "spent",
        "calls",
        "time",
    ]
    assert lines[1].endswith("3 of 20 case runs")


@pytest.mark.parametrize("width", [20, 30, 50, 80, 160, 300])
def test_no_line_is_wider_than_the_window_and_nothing_is_cut(width):
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    text = " ".join(line[12:].strip() for line in lines)
    assert "lift +0.250 (-0.01 to +0.33)" in " ".join(text.split())


def test_the_echo_of_ctrl_c_finds_room_behind_the_last_row():
    """Where it wraps, the cursor is a line lower than rich knows, and the title stays behind."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with console.capture() as captured:
        console.print(area(a_watch(), 80))
    *_, last = captured.get().splitlines()
    assert len(Text.from_ansi(last).plain) <= 78


def test_the_area_keeps_its_height_and_uses_its_width():
    """A row that wraps now and then makes all lines above it jump."""
    assert {len(drawn(width)) for width in (80, 100, 160)} == {6}
    ended = StageProgress("s", "decision", 20, 20)
    assert [drawn(width, ended)[1].count("━") for width in (80, 160)] == [26, 53]


def test_all_that_is_written_meanwhile_stands_above_the_area():
    file = io.StringIO()
    widths = iter([80, 80, 40, 40, 40, 40, 40, 40])
    live = live_area(a_watch(), file, lambda: next(widths, 40), colour=False)
    live.auto_refresh = False
    above = AboveArea(live.console, file)
    with live:
        above.write("one \x1b[31mred\x1b[0m lin")
        assert "one" not in file.getvalue()
        above.write("e\nand [bold]another\nnot yet")
        live.refresh()
    above.finish()
    output = file.getvalue()
    assert output.index("one red line") < output.index("and [bold]another")
    assert output.rstrip().endswith("not yet")
    assert "\x1b[?25l" in output  # the cursor is hidden, and shown again
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


@pytest.mark.parametrize("colour", [True, False])
def test_pytest_decides_on_colours_whatever_the_environment_says(monkeypatch, colour):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1") if colour else monkeypatch.delenv("NO_COLOR", False)
    file = io.StringIO()
    live = live_area(a_watch(), file, lambda: 80, colour=colour)
    live.auto_refresh = False
    with live:
        live.refresh()
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", file.getvalue())) == colour
