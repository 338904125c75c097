"""A pipeline's `except Exception` must not turn a broken set-up into an answer and a score."""

import pytest
from gate_project import INI, write_gate, write_prompt
from optimize_project import run, write_project, written

FALLBACK = """
import pytest
from pytest_mipro import cases
from pipeline import say

def program(text):
    try:
        return say({arguments})
    except Exception:  # a production fallback
        return "ONE"

@pytest.mark.mipro(threshold=0.1)
@cases("words.jsonl")
def test_say(text):
    assert program(text) == text.upper()
"""


def broken_prompt(pytester, monkeypatch):
    path = write_prompt(pytester, "Say it.")
    path.write_text(path.read_text().replace("instruction:", "instruktion:"))


def no_model(pytester, monkeypatch):
    monkeypatch.delenv("MIPRO_MODEL", raising=False)
    pytester.makefile(".ini", tox=INI.replace("mipro_model = test/fake", ""))


def right(pytester, monkeypatch):
    pass


@pytest.mark.parametrize(
    ("spoil", "arguments", "told"),
    [
        (broken_prompt, "text=text", "*pipeline.say.yaml:3: unknown key 'instruktion'*"),
        (no_model, "text=text", "*'pipeline.say' has no model; set MIPRO_MODEL*"),
        (right, "text=text, colour=1", "*got an unexpected keyword argument 'colour'*"),
        (right, "text=object()", "*argument 'text' of type object has no JSON form*"),
    ],
)
def test_the_gate_fails_and_tells_the_cause(pytester, monkeypatch, spoil, arguments, told):
    write_gate(pytester, FALLBACK.format(arguments=arguments))
    spoil(pytester, monkeypatch)
    result = pytester.runpytest()
    at_collection = spoil is broken_prompt
    wanted = pytest.ExitCode.INTERRUPTED if at_collection else pytest.ExitCode.TESTS_FAILED
    assert result.ret == wanted
    assert result.parseoutcomes().get("passed") is None
    result.stdout.fnmatch_lines([told])


def test_the_same_pipeline_without_a_fault_passes_the_gate(pytester):
    write_gate(pytester, FALLBACK.format(arguments="text=text"))
    assert pytester.runpytest().ret == 0


def test_wrong_arguments_fail_a_test_that_does_not_swallow_them(pytester):
    write_gate(
        pytester,
        FALLBACK.format(arguments="text=object()").replace("except Exception", "except OSError"),
    )
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*argument 'text' of type object has no JSON form*"])


def test_an_optimisation_stops_and_writes_nothing(pytester):
    source = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    try:
        got = parity(number=object() if number == 7 else str(number))
    except Exception:
        got = "odd"
    assert got == ("odd" if number % 2 else "even")
"""
    write_project(pytester, source)
    result = run(pytester, "--mipro-optimize", "--mipro-trials=3")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*argument 'number' of type object has no JSON form*"])
    assert written(pytester) == {}
