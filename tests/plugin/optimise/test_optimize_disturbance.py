"""Tests that change what all cases share are measured one case at a time, as the gate does."""

import re

import pytest
from optimize_project import optimize, run, write_project

BODY = """
import contextlib, io, os, sys
from unittest import mock

class state:
    wanted = 0

@pytest.mark.mipro(threshold=0.1{more})
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    with {change}:
        said = parity(number=str(number))
        wanted = {read}
    assert said == ("odd" if wanted % 2 else "even")
"""
SHARED = {
    "a patched module": ('mock.patch.object(state, "wanted", number)', "state.wanted"),
    "the folder": (
        "contextlib.chdir(f'{os.path.dirname(__file__)}/{number % 2}')",
        "int(os.getcwd()[-1])",
    ),
    "standard output": (
        "contextlib.redirect_stdout(io.StringIO(str(number)))",
        "int((getattr(sys.stdout, 'getvalue', str)() or '0'))",
    ),
}
# Each reply takes a moment, in which other cases run.
SLOW = """
import asyncio

class Slow(Client):
    async def complete(self, request):
        await asyncio.sleep(0.005)
        return await super().complete(request)

Client = Slow
"""
NOTE = "cases score otherwise beside others than alone: test_parity"


def write(pytester, name, more=""):
    change, read = SHARED[name]
    write_project(pytester, BODY.format(change=change, read=read, more=more), conftest=SLOW)
    for folder in "01":
        (pytester.path / folder).mkdir()


def figure(result, pattern):
    (found,) = re.findall(pattern, " ".join(result.stdout.str().split()))
    return found


@pytest.mark.parametrize("name", ["the folder", "standard output"])
def test_the_baseline_is_what_the_gate_measures(pytester, monkeypatch, name):
    monkeypatch.chdir(pytester.path)
    write(pytester, name)
    gate = figure(run(pytester), r"test_parity (0\.\d+) ")
    result = optimize(pytester, "--mipro-model=test/uncached")
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    assert NOTE in text
    assert "All run one at a time now; mark a test that changes what they share" in text
    assert figure(result, r"before (0\.\d+)") == gate


def test_a_test_that_says_so_is_not_checked(pytester):
    write(pytester, "a patched module", ", concurrent=False")
    result = optimize(pytester)
    assert result.ret == 0
    assert NOTE not in " ".join(result.stdout.str().split())
