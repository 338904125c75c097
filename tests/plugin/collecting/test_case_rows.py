"""The row behind an item, and how many items the whole test has."""

from __future__ import annotations

import functools
import re

import pytest
from plugin_desk import TICKETS, items_of, write_desk

from pytest_mipro.plugin.collecting.cases import case_row, expected_count, nodeid_of_test

pytest_plugins = "pytester"


@pytest.fixture
def project(pytester: pytest.Pytester):
    return functools.partial(write_desk, pytester)


class TestRows:
    """`case_row`."""

    def test_the_row_of_a_case_file(self, pytester, project):
        project("""
@pytest.mark.mipro
@cases("tickets.jsonl")
def test_queue(queue): pass

@pytest.mark.mipro
@cases("tickets.jsonl")
@pytest.mark.parametrize("style", ["short", "long"])
def test_reply(ticket, style): pass
""")
        found = [case_row(item) for item in items_of(pytester)]
        assert [row.key for row in found[:3]] == [f"tickets.jsonl:{row['id']}" for row in TICKETS]
        assert [row.columns for row in found[:3]] == TICKETS
        assert [(row.split, row.demo) for row in found[:3]] == [
            ("train", True),
            (None, False),
            (None, True),
        ]
        assert len(found) == 9
        assert {row.key for row in found[3:]} == {row.key for row in found[:3]}

    def test_equal_parameters_are_one_row_in_whatever_test(self, pytester):
        pytester.makepyfile("""
import pytest

@pytest.mark.parametrize(("a", "b"), [(1, {"x": [1]}), (2, None)])
def test_one(a, b): pass

@pytest.mark.parametrize("b", [{"x": (1,)}])
@pytest.mark.parametrize("a", [1, 1.5])
def test_two(b, a): pass
""")
        one, other, same, different = (case_row(item) for item in items_of(pytester))
        assert re.fullmatch(r"params:[0-9a-f]{16}", one.key)
        assert one.key == same.key
        assert len({one.key, other.key, different.key}) == 3
        assert one.columns == {"a": 1, "b": {"x": [1]}}
        assert (one.split, one.demo, one.file) == (None, True, None)

    def test_keys_never_change(self, pytester):
        # Locks hold them: another text here would move rows between training and holdout.
        pytester.makepyfile("""
import pytest

@pytest.mark.parametrize("a", ["x", {"q", "w", "e"}])
def test_it(a): pass
""")
        keys = [case_row(item).key for item in items_of(pytester)]
        assert keys == ["params:c12fbc21e3d10ce3", "params:1e04b5b1d3f6dc30"]

    def test_values_without_a_json_form_count_by_their_id(self, pytester):
        pytester.makepyfile("""
import pytest

@pytest.mark.parametrize("a", [object(), object()])
def test_objects(a): pass

@pytest.mark.parametrize("a", [object(), object()])
def test_again(a): pass
""")
        first, second, again, _ = (case_row(item) for item in items_of(pytester))
        assert first.key != second.key
        assert first.key == again.key
        assert first.columns == {}

    def test_a_path_counts_as_seen_from_the_test_file(self, pytester):
        source = """
import pathlib, pytest
@pytest.mark.parametrize("a", [pathlib.Path(__file__).parent / "cases" / "a.txt"])
def test_it(a): pass
"""
        for name in ("one", "two"):
            (pytester.mkdir(name) / f"test_{name}.py").write_text(source)
        first, second = (case_row(item) for item in items_of(pytester))
        assert first == second
        assert first.columns == {"a": "cases/a.txt"}

    def test_a_test_without_parameters_is_its_own_row(self, pytester):
        pytester.makepyfile(
            test_x="class TestA:\n    def test_it(self, tmp_path): pass\ndef test_it(): pass"
        )
        keys = {case_row(item).key for item in items_of(pytester)}
        assert keys == {"test_x.py::TestA::test_it", "test_x.py::test_it"}


class TestCounts:
    """`expected_count`: how many items the whole test has, whatever was selected."""

    SOURCE = """
@pytest.mark.mipro
@cases("tickets.jsonl")
@pytest.mark.parametrize("style", ["short", "long"])
def test_stacked(ticket, style): pass

@pytest.mark.mipro
@pytest.mark.parametrize("a", [1, 2, 3, 4])
def test_plain(a): pass

@pytest.mark.mipro
def test_single(): pass

def test_unmarked(): pass
"""
    EXPECTED = (
        ("test_desk.py::test_stacked", 6),
        ("test_desk.py::test_plain", 4),
        ("test_desk.py::test_single", 1),
        ("test_desk.py::test_unmarked", 0),
        ("test_desk.py::test_nowhere", 0),
    )

    @pytest.mark.parametrize(
        ("args", "selected"),
        [
            ([], 12),
            (["-k", "T-1"], 2),
            (["test_desk.py::test_stacked[T-1-short]", "test_desk.py::test_plain[2]"], 2),
            (["--deselect", "test_desk.py::test_plain[2]"], 11),
        ],
    )
    def test_the_whole_test_is_counted(self, pytester, project, args, selected):
        project(self.SOURCE)
        items = items_of(pytester, *args)
        assert len(items) == selected
        for nodeid, count in self.EXPECTED:
            assert expected_count(items[0].config, nodeid) == count

    def test_the_whole_test_is_counted_when_the_last_failures_run(self, pytester, project):
        project("""
@pytest.mark.mipro
@pytest.mark.parametrize("a", [1, 2, 3])
def test_it(a): assert a != 2
""")
        pytester.runpytest()
        (item,) = items_of(pytester, "--lf")
        assert item.name == "test_it[2]"
        assert expected_count(item.config, "test_desk.py::test_it") == 3

    def test_the_nodeid_of_the_test_has_no_parameters(self, pytester, project):
        project(self.SOURCE)
        found = {nodeid_of_test(item) for item in items_of(pytester)}
        assert found == {nodeid for nodeid, _ in self.EXPECTED[:4]}

    def test_parameters_of_fixtures_count(self, pytester, project):
        project("""
@pytest.fixture(params=["x", "y"])
def flavour(request): return request.param

@pytest.mark.mipro
@cases("tickets.jsonl")
def test_it(flavour, ticket): pass
""")
        items = items_of(pytester)
        assert len(items) == 6
        assert expected_count(items[0].config, "test_desk.py::test_it") == 6
