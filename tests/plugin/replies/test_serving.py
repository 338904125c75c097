"""Warnings of the runtime on standard error, at once and whatever is captured."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import pytest

from pytest_mipro.plugin.replies.serving import warnings_on_terminal

LOG = logging.getLogger("pytest_mipro.runtime.cache.claims")


def test_each_warning_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings_on_terminal():
        for _ in range(16):
            LOG.warning("waiting for %s", "process 7")
        LOG.warning("two\nlines")
        LOG.info("no trouble")
    LOG.warning("the run is over")
    assert capfd.readouterr().err == "\nmipro: waiting for process 7\n\nmipro: two lines\n"


def test_no_key_is_in_a_warning(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "canary-0123")
    with warnings_on_terminal():
        LOG.warning("the folder canary-0123 is locked")
    assert capfd.readouterr().err == "\nmipro: the folder [hidden] is locked\n"


def test_a_capture_that_begins_later_takes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    with warnings_on_terminal():
        before = os.dup(2)
        os.dup2(writing, 2)  # as pytest does around each test
        LOG.warning("waiting")
        os.dup2(before, 2)
    for descriptor in (before, writing):
        os.close(descriptor)
    assert os.read(reading, 100) == b""
    os.close(reading)
    assert "mipro: waiting" in capfd.readouterr().err


NO_SOCKETS = """
@pytest.fixture(autouse=True)
def no_sockets(monkeypatch):  # as pytest-socket's --disable-socket does
    def refuse(*args, **kwargs): raise RuntimeError("a test tried to open a socket")
    monkeypatch.setattr("socket.socket", refuse)

@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("text", ["one", "two"])
def test_echo(text): assert echo(text=text) == text
"""


def test_cases_that_may_open_no_socket_have_their_replies(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk(NO_SOCKETS)
    result = pytester.runpytest_subprocess()  # in this process the loop may run already
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 3}


NO_CALLS = """
@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("text", ["one", "two"])
def test_case(text): assert text

def test_plain(): pass
"""


def test_what_calls_no_model_runs_where_a_project_refuses_all_sockets(
    pytester: pytest.Pytester, desk: Callable[..., None]
) -> None:
    desk(NO_CALLS)
    refusal = "def refuse(*args, **kwargs): raise RuntimeError('no socket')"
    conftest = pytester.path / "conftest.py"
    text = f"{conftest.read_text()}\nimport socket, ssl\n{refusal}\nsocket.socket = refuse\n"
    conftest.write_text(text)
    result = pytester.runpytest_subprocess("-p", "no:rerunfailures", "-W", "error")
    result.stdout.fnmatch_lines("test_desk.py ...*")
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
