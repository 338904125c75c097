"""Feedback reads the same everywhere, and is bounded."""

from __future__ import annotations

import json

import pytest

from pytest_mipro.plugin.measuring.feedback import MAX_CHARS, canonical, canonical_repr


def test_feedback_is_bounded_and_keeps_head_and_tail():
    text = canonical("a" * 5000 + "end")
    assert len(text) == MAX_CHARS
    assert text.startswith("aaa")
    assert text.endswith("end")
    assert f"{5003 - MAX_CHARS} characters left out" in text


def test_feedback_has_no_addresses_and_no_colours():
    assert (
        canonical("<Foo object at 0x7f00deadbeef> is \x1b[31mred\x1b[0m") == "<Foo object> is red"
    )


def test_a_number_in_hexadecimal_stays():
    assert canonical("got 0xff, wanted 0xfe") == "got 0xff, wanted 0xfe"


def test_sets_are_sorted_also_inside_texts():
    assert canonical("missing {'b', 'a', 'c'} of {'x': 1}") == "missing {'a', 'b', 'c'} of {'x': 1}"
    assert canonical_repr([{"b", "a"}, frozenset({2, 1})]) == "[{'a', 'b'}, frozenset({1, 2})]"
    assert canonical_repr((set(), frozenset(), (1,), {"k": {"z", "y"}})) == (
        "(set(), frozenset(), (1,), {'k': {'y', 'z'}})"
    )


def test_a_broken_repr_breaks_nothing():
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert canonical_repr([Broken()]) == "[<Broken whose repr raises RuntimeError>]"


FAILING = '''
import enum

Label = enum.Enum("Label", {"BUG": "bug", "BILLING": "billing"})

class Read:
    def __init__(self, text): self.label = Label(text)
    def __repr__(self): return "Read()"

class Thing:
    """Its repr holds an address."""

def helper(value): return value

@pytest.mark.mipro(threshold=0.0)
@pytest.mark.parametrize("index", range(10))
def test_echo(index):
    words = {"delta", "alpha", "charlie", "bravo"}
    if index == 0: assert echo(text="bug") == "billing", "wrong queue"
    if index == 1: assert echo(text="x" * 900 + "y") == "z" * 900
    if index == 2: assert helper(list(range(100))) == list(range(1, 101))
    if index == 3: assert words == {"alpha"}
    if index == 4: assert not Thing()
    if index == 5: assert helper("a long text, " * 60) == helper("another text")
    if index == 6: assert "needle" in "line of hay\\n" * 40
    if index == 7: assert helper("the reply " * 60).startswith("needle"), f"none of {words}"
    if index == 8: assert Label(echo(text="bug")) == Label("billing")
    if index == 9: assert Read(echo(text="bug")).label == Label("billing")
'''


def feedback_of(pytester: pytest.Pytester, *args: str) -> list[str]:
    result = pytester.runpytest_subprocess(*args)
    assert result.ret == 0, result.stdout.str()
    return json.loads((pytester.path / "feedback.json").read_text())


def test_feedback_is_the_same_whatever_the_terminal_says(pytester, desk, monkeypatch):
    desk(FAILING)
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
import json
said = []
def pytest_runtest_logreport(report):
    if "case" in getattr(report, "mipro", {}):
        said.append(json.loads(report.mipro["case"])["result"]["outcome"]["feedback"])
def pytest_sessionfinish():
    pathlib = __import__("pathlib")
    pathlib.Path("feedback.json").write_text(json.dumps(said))
""")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    plain = feedback_of(pytester)
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    verbose = feedback_of(pytester, "-vv")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("COLUMNS", "40")
    assert plain == verbose == feedback_of(pytester, "-v", "--color=yes")
    assert plain[0] == "wrong queue\ngot 'bug', wanted 'billing'"
    assert plain[3] == "assert {'alpha', 'bravo', 'charlie', 'delta'} == {'alpha'}"
    assert "0x" not in plain[4]
    assert plain[7].startswith("none of {'alpha', 'bravo', 'charlie', 'delta'}\nassert False\n")
    assert plain[8] == "got <Label.BUG: 'bug'>, wanted <Label.BILLING: 'billing'>"
    assert plain[9] == f"{plain[8]}\n +  where <Label.BUG: 'bug'> = Read().label"
    assert all(len(text) <= MAX_CHARS for text in plain)
