"""Texts of models and tests print as text: no control sequence, no CI command."""

from __future__ import annotations

import json
import unicodedata

import pytest
from gate_project import write_gate
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.plugin.config.printable import printable, unprintable

ATTACKS = {
    "clear": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "C1": "\x9b31m",
    "backspace": "secret\b\b\b\b\b\bpublic",
    "return": "FAILED\rPASSED",
    "bidi": "a\u202eb",
    "zero width": "a\u200bb",
    "nul": "a\x00b",
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_attacks_print_as_escapes(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode("utf-8")
    assert "\\" in shown
    assert unprintable(text)


@given(st.text(st.characters(codec=None)))
def test_any_text_prints(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cs", "Cf"}
    assert {char for char in shown if unicodedata.category(char) == "Cc"} <= {"\n", "\t"}
    assert printable(shown) == shown


def test_ordinary_text_stays() -> None:
    text = "Grüße, 東京 🙂\n\tindented “quoted” a::b ## heading"
    assert printable(text) == text
    assert unprintable(text) == []


@pytest.mark.parametrize("variable", ["CI", "TF_BUILD"])
def test_commands_to_a_ci_system_are_broken(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    text = "::error::x\n  ::add-mask::y\n+ ##[error]z ##vso[task.complete]\nstd::vector a"
    assert printable(text) == text
    monkeypatch.setenv(variable, "true")
    assert printable(text) == (
        ": :error::x\n  : :add-mask::y\n+ # #[error]z # #vso[task.complete]\nstd::vector a"
    )


TESTS = """
import pytest
from pytest_mipro import Score, cases
from pipeline import say

@pytest.mark.mipro(threshold=0.9)
@cases("words.jsonl")
def test_say(text):
    return Score(0.0, feedback=say(text=text))
"""


@pytest.mark.parametrize("arguments", [(), ("-v",), ("-n", "1"), ("-q",)], ids=str)
def test_no_reply_reaches_the_terminal_raw(pytester: pytest.Pytester, arguments) -> None:
    words = tuple(f"{name}={text}" for name, text in ATTACKS.items() if name != "surrogate")
    write_gate(pytester, TESTS, words=words)
    result = pytester.runpytest("--color=no", *arguments)
    assert result.ret == 1
    output = result.stdout.str()
    assert "\\x1b" in output or "\ufffd" in output, "the replies are shown"
    assert printable(output) == output


CLIENT = """
from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    raise EndpointError("said \\x1b[2J ##vso[task.complete]\\n::error::x")

def pytest_mipro_client(config):
    return ScriptedClient(reply)
"""
FIXTURE = """
import pytest
from pipeline import say

@pytest.fixture
def said():
    return say(text="one")

@pytest.mark.mipro(threshold=0.5)
def test_say(said):
    pass
"""


@pytest.mark.parametrize("tests", [TESTS, FIXTURE], ids=["test", "fixture"])
def test_no_error_of_an_endpoint_reaches_the_terminal_raw(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tests: str
) -> None:
    monkeypatch.setenv("CI", "true")
    write_gate(pytester, tests, words=("one",))
    pytester.makeconftest(CLIENT)
    result = pytester.runpytest("--color=no", "-p", "no:randomly")
    output = result.stdout.str()
    assert result.ret == 1
    assert "ERROR at" in output
    assert printable(output) == output


def test_no_feedback_of_a_case_that_is_judged_by_itself_reaches_the_terminal_raw(
    pytester: pytest.Pytester,
) -> None:
    tests = TESTS.replace("(threshold=0.9)", "")
    write_gate(pytester, tests, words=("title=\x1b]0;owned\x07", "clear=\x1b[2J"))
    result = pytester.runpytest("--color=no")
    assert result.parseoutcomes() == {"failed": 2}
    output = result.stdout.str()
    assert printable(output) == output


def test_no_path_in_a_foreign_journal_reaches_the_terminal_raw(pytester: pytest.Pytester) -> None:
    write_gate(pytester, words=("one",))
    (pytester.path / ".mipro").mkdir(mode=0o700)
    entry = {"path": "/evil/\x1b[2J", "text": "", "replaces": ""}
    (pytester.path / ".mipro/pending-writes-1.json").write_text(json.dumps([entry]))
    result = pytester.runpytest("--color=no")
    output = result.stdout.str()
    assert "it would write /evil/\\x1b[2J, outside" in output
    assert printable(output) == output
