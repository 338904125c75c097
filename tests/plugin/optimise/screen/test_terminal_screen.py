"""Off a terminal a line each half minute, from a thread that ends with the study."""

import threading

import pytest

from pytest_mipro.plugin.optimise.screen import terminal_screen
from pytest_mipro.plugin.optimise.screen.study_watch import StudyWatch
from pytest_mipro.plugin.optimise.screen.terminal_screen import TerminalScreen, heartbeat

# Its clean-up looks for garbage among all objects of this process, twice.
NO_COLLECTING = ("-p", "no:unraisableexception")


class Clockwork(threading.Event):
    """An event that never waits: it lets three waits pass, and then is set."""

    waits: list[float | None]

    def __init__(self) -> None:
        super().__init__()
        self.waits = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return len(self.waits) > 3


def test_it_beats_every_half_minute_until_the_block_ends(monkeypatch):
    clockwork, beats = Clockwork(), []
    monkeypatch.setattr(terminal_screen, "Event", lambda: clockwork)
    with heartbeat(lambda: beats.append(threading.current_thread().name)):
        pass
    assert beats == ["mipro-heartbeat"] * 3
    assert set(clockwork.waits) == {30.0}
    assert "mipro-heartbeat" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("args", "terminal", "live"),
    [((), "xterm", 1), (("-q",), "xterm", 1), (("-qq",), "xterm", 0), (("-v",), "dumb", 0)],
)
def test_a_terminal_that_can_show_it_has_an_area(pytester, monkeypatch, args, terminal, live):
    monkeypatch.setenv("TERM", terminal)
    config = pytester.parseconfigure(*NO_COLLECTING, *args)
    config.pluginmanager.get_plugin("terminalreporter").isatty = True
    assert TerminalScreen(config, "test_a.py::optimize").live == live


@pytest.mark.parametrize(("args", "lines"), [((), 3), (("-q",), 0)])
def test_a_line_tells_how_the_study_goes_and_none_under_q(
    pytester, monkeypatch, capsys, args, lines
):
    monkeypatch.setattr(terminal_screen, "Event", Clockwork)
    config = pytester.parseconfigure(*NO_COLLECTING, *args)
    screen = TerminalScreen(config, "test_a.py::optimize")
    with screen, screen.watching(StudyWatch("test_a.py", clock=lambda: 0.0)):
        pass
    told = [line for line in capsys.readouterr().out.splitlines() if "answered" in line]
    line = (
        "            baseline; 0 calls billed, 0 tokens; 0 answered, cached ones too; 0 a second, "
        "0 under way; 0:00"
    )
    assert told == [line] * lines
