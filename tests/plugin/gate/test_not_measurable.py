"""Tests that have no score, or whose score gets lost, are refused at collection."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            (
                "import unittest\n@pytest.mark.mipro\nclass TestDesk(unittest.TestCase):\n"
                "    def test_echo(self): pass"
            ),
            "*TestDesk::test_echo: @pytest.mark.mipro: a unittest.TestCase can't be measured; *",
        ),
        (
            "@pytest.mark.mipro\ndef test_parts(subtests): pass",
            "*::test_parts: @pytest.mark.mipro: `subtests` has no one score; parametrise*",
        ),
        (
            "@pytest.mark.mipro\nasync def test_stream():\n    yield 1",
            "*::test_stream: @pytest.mark.mipro: the test is a generator; *",
        ),
        (
            "@pytest.mark.mipro(treshold=0.5)\ndef test_echo(): pass",
            "*unknown argument 'treshold'; did you mean 'threshold'?",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(pytester, desk, source, line):
    desk(source)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    lines = result.stdout.lines
    start = next(n for n, text in enumerate(lines) if "ERROR collecting test_desk.py" in text)
    end = next(n for n, text in enumerate(lines) if "short test summary" in text)
    assert end - start == 2, lines
    result.stdout.fnmatch_lines([line])


def test_subtests_of_a_test_that_runs_are_refused(pytester, desk):
    desk("""
@pytest.fixture
def subtests(): raise AssertionError("it is made")

@pytest.mark.mipro(threshold=0.5)
def test_parts(request):
    request.getfixturevalue("subtests")
""")
    result = pytester.runpytest("--mipro-update-lock")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = "*::test_parts: @pytest.mark.mipro: `subtests` has no one score; parametrise the test*"
    result.stdout.fnmatch_lines([line, "test_parts  1 case  1 error  INCOMPLETE: *"])
    assert not (pytester.path / "test_desk.mipro.json").exists()


def test_a_failure_of_another_plugin_is_shown_without_frames_of_this_one(pytester, desk):
    desk("@pytest.mark.mipro(threshold=0.5)\ndef test_one(): assert echo(text='a') == 'a'")
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    yield
    raise RuntimeError("no screenshot")
""")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["E*RuntimeError: no screenshot", "conftest.py:*: RuntimeError"])
    result.stdout.no_fnmatch_line("*case_hooks.py*")


@pytest.mark.parametrize(
    ("mark", "option"), [("", ["--forked"]), ("@pytest.mark.forked\n", [])], ids=["option", "mark"]
)
def test_cases_in_forked_processes_are_refused(pytester, desk, mark, option):
    """pytest-forked's reports hold no attributes: each case `EXITED with status 3`."""
    desk(f"{mark}@pytest.mark.mipro\ndef test_one(): pass")
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
def pytest_addoption(parser):
    parser.addoption("--forked", action="store_true")

def pytest_configure(config):
    config.addinivalue_line("markers", "forked: as pytest-forked has it")
""")
    result = pytester.runpytest(*option)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*::test_one: @pytest.mark.mipro: *pytest-forked's processes; *"])


def test_items_that_are_no_functions_are_refused(pytester, desk):
    desk("def test_one(): pass")
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("""
class Item(pytest.Item):
    def runtest(self): pass

class File(pytest.File):
    def collect(self):
        item = Item.from_parent(self, name="line")
        item.add_marker(pytest.mark.mipro)
        return [item]

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".txt": return File.from_parent(parent, path=file_path)
""")
    (pytester.path / "notes.txt").write_text("x")
    result = pytester.runpytest("notes.txt")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["notes.txt::line: @pytest.mark.mipro: only test functions can be*"]
    )
