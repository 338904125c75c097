"""`cases(...)`: what a test gets, and that every error is one line and exit code 2."""

from __future__ import annotations

import functools
import re

import pytest
from plugin_desk import HEAD, items_of, write_desk

from pytest_mipro.plugin.collecting.cases import case_row

pytest_plugins = "pytester"


@pytest.fixture
def project(pytester: pytest.Pytester):
    return functools.partial(write_desk, pytester)


def refused(pytester: pytest.Pytester) -> str:
    """Run pytest; return the one line with which the collection of the file failed."""
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = result.stdout.str()
    body = re.search(r"_+ ERROR collecting test_desk.py _+\n(.*?)\n=+ ", text, re.DOTALL)
    assert body, text
    assert "\n" not in body[1], text
    return body[1]


def test_a_test_gets_its_columns_and_keeps_its_fixtures(pytester, project):
    project("""
@pytest.fixture
def clerk(): return "clerk"

@cases("tickets.jsonl")
def test_queue(clerk, queue, ticket, tmp_path):
    assert clerk == "clerk" and tmp_path.is_dir()
    assert (ticket, queue) in [("no invoice", "billing"), ("crashes", "bug"), ("how?", "how-to")]
""")
    result = pytester.runpytest("-v", "-p", "no:randomly")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*test_queue?T-1?*", "*test_queue?T-2?*"])


def test_it_needs_no_metric_mark(pytester, project):
    project('@cases("tickets.jsonl")\ndef test_facts(facts): assert isinstance(facts, list)')
    pytester.runpytest().assert_outcomes(passed=3)


def test_methods_and_coroutines_take_cases(pytester, project):
    project("""
class TestDesk:
    @pytest.mark.mipro
    @cases("tickets.jsonl")
    def test_method(self, ticket): pass

@pytest.mark.mipro
@cases("tickets.jsonl")
async def test_async(ticket): pass
""")
    assert len(items_of(pytester)) == 6


def test_the_path_is_relative_to_the_test_file(pytester, project, monkeypatch):
    pytester.mkdir("data")
    (pytester.path / "data/more.csv").write_text("id,ticket\na,x\n")
    folder = pytester.mkdir("tests")
    (folder / "test_up.py").write_text(
        HEAD + '@pytest.mark.mipro\n@cases("../data/more.csv")\ndef test_it(ticket): pass\n'
    )
    monkeypatch.chdir(folder)
    (item,) = items_of(pytester)
    assert case_row(item).key == "more.csv:a"
    assert case_row(item).file == pytester.path / "data/more.csv"


def test_a_fixture_may_take_a_column_for_the_test(pytester, project):
    project("""
@pytest.fixture
def upper(ticket): return ticket.upper()

@cases("tickets.jsonl")
def test_it(upper, queue): assert upper in {"NO INVOICE", "CRASHES", "HOW?"}
""")
    pytester.runpytest().assert_outcomes(passed=3)


def test_a_fixture_behind_another_is_not_replaced_by_a_column(pytester, project):
    project("""
@pytest.fixture
def queue(): return "the fixture"

@pytest.fixture
def desk(queue): return queue

@cases("tickets.jsonl")
def test_it(desk, ticket): assert desk == "the fixture"

@cases("tickets.jsonl")
def test_direct(queue): assert queue != "the fixture"
""")
    pytester.runpytest().assert_outcomes(passed=6)


def test_a_test_that_changes_its_argument_changes_no_row(pytester, project):
    project("""
@cases("tickets.jsonl")
def test_first(facts): facts.append("changed")

@cases("tickets.jsonl")
def test_second(facts): assert "changed" not in facts
""")
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=6)


def test_a_file_is_read_once_a_session(pytester, project):
    project("""
import pathlib
@cases("tickets.jsonl")
def test_it(ticket): pass
""")
    pytester.makepyfile(
        test_later=HEAD
        + "import pathlib\n"
        + "pathlib.Path(__file__).with_name('tickets.jsonl').write_text('broken')\n"
        + "@cases('tickets.jsonl')\ndef test_it(ticket): pass\n"
    )
    pytester.runpytest().assert_outcomes(passed=6)


IT = "test_desk.py::test_it"
NEITHER = "neither a column nor a fixture"
DEFAULT = "so that pytest would never pass it; drop the default"
COLUMNS = "columns: id, ticket, queue, facts, split, demo"
NO_COLUMN = f"tickets.jsonl:1: no parameter of test_desk.py::test_it is a column; {COLUMNS}"
NO_FILE = "can't be read: No such file or directory; its path is relative to the test file's folder"
MANY_ROWS = [{"ticket": n} for n in range(500)]
NO_PATH = 'cases takes the path of a case file, as @cases("tickets.jsonl"), got'
REFUSED = {
    "no such file": (
        '@cases("nowhere.jsonl")\ndef test_it(ticket): pass',
        f"nowhere.jsonl:1: {NO_FILE}",
    ),
    "a name beside that of a file": (
        '@cases("tikets.jsonl")\ndef test_it(ticket): pass',
        f"tikets.jsonl:1: {NO_FILE}; did you mean 'tickets.jsonl'?",
    ),
    "no such column": ('@cases("tickets.jsonl")\ndef test_it(tickt): pass', NO_COLUMN),
    "no parameter": ('@cases("tickets.jsonl")\ndef test_it(): pass', NO_COLUMN),
    "neither column nor fixture": (
        '@cases("tickets.jsonl")\ndef test_it(ticket, produkt): pass',
        f"tickets.jsonl:1: {IT} takes 'produkt', which is {NEITHER}; {COLUMNS}",
    ),
    "a name beside that of a column": (
        '@cases("tickets.jsonl")\ndef test_it(ticket, fakts): pass',
        f"tickets.jsonl:1: {IT} takes 'fakts', which is {NEITHER}; did you mean 'facts'? {COLUMNS}",
    ),
    "a row without the column": (
        '@cases("tickets.jsonl")\ndef test_it(ticket, split): pass',
        "tickets.jsonl:2: the row 'T-2' has no column 'split', which test_desk.py::test_it takes",
    ),
    "a default": (
        '@cases("tickets.jsonl")\ndef test_it(ticket, queue="x"): pass',
        f"tickets.jsonl:1: {IT} has a default for the column 'queue', {DEFAULT}",
    ),
    "two files": (
        '@cases("tickets.jsonl")\n@cases("more.jsonl")\ndef test_it(ticket): pass',
        "test_desk.py::test_it: takes cases from 2 files; keep one @cases(…)",
    ),
    "the internal mark": (
        '@pytest.mark.mipro_cases("tickets.jsonl")\ndef test_it(ticket): pass',
        "test_desk.py::test_it: write the mark mipro_cases as @cases(path)",
    ),
    "no path": (
        "@cases\ndef test_it(ticket): pass",
        f"{NO_PATH} test_it",
    ),
    "rows": (
        f"@cases({MANY_ROWS})\ndef test_it(ticket): pass",
        f"{NO_PATH} {str(MANY_ROWS)[:79]}…; pytest.mark.parametrize takes rows",
    ),
    "a wrong mark": (
        '@pytest.mark.mipro(threshold=8)\n@cases("tickets.jsonl")\ndef test_it(ticket): pass',
        "test_desk.py::test_it: @pytest.mark.mipro: threshold must be a number in 0…1, got 8",
    ),
}


class TestErrors:
    """Each ends the collection of its file with one line and exit code 2."""

    @pytest.mark.parametrize(("source", "line"), REFUSED.values(), ids=REFUSED)
    def test_of_the_test(self, pytester, project, source, line):
        project(source)
        assert refused(pytester) == line

    def test_the_short_summary_shows_each_by_its_own_text(self, pytester, project, monkeypatch):
        pytest.importorskip("pytest", "9.0", reason="older ones show no collection error's text")
        monkeypatch.setenv("CI", "1")  # pytest then does not cut the line
        broken = {
            "test_0": "a wrong mark",
            "test_1": "no such column",
        }
        for name, case in broken.items():
            project(REFUSED[case][0])
            (pytester.path / "test_desk.py").rename(pytester.path / f"{name}.py")
        said = [
            f"ERROR {name}.py - {REFUSED[case][1].replace('test_desk', name)}"
            for name, case in broken.items()
        ]
        pytester.runpytest().stdout.fnmatch_lines(said)

    def test_of_the_file(self, pytester, project):
        project('@cases("tickets.jsonl")\ndef test_it(ticket): pass')
        path = pytester.path / "tickets.jsonl"
        path.write_text(path.read_text() + '\n{"id": "T-1", "ticket": "again"}')
        line = "tickets.jsonl:4: the id 'T-1' is also in line 1; ids must be unique"
        assert refused(pytester) == line

    def test_a_parametrised_column_is_refused_by_pytest_itself(self, pytester, project):
        project(
            '@cases("tickets.jsonl")\n@pytest.mark.parametrize("queue", ["x"])\n'
            "def test_it(ticket, queue): pass"
        )
        assert "queue" in refused(pytester)
