"""The lock: byte-stable, one case a line, and errors that name the line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.lock.lock_file import (
    Lock,
    LockedCase,
    LockedLesson,
    LockedModule,
    dump_lock,
    parse_lock,
    read_lock,
)

PATH = Path("tests/test_desk.mipro.json")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
modules = st.builds(
    LockedModule,
    texts,
    texts,
    texts,
    texts,
    texts,
    texts,
    st.dictionaries(texts, json_values, max_size=3),
    st.booleans(),
)
cases = st.builds(LockedCase, texts, texts, texts, texts, st.none() | st.floats(0, 1))
lessons = st.builds(
    LockedLesson,
    texts,
    texts,
    st.booleans(),
    st.booleans(),
    texts,
    st.floats(0, 2),
    texts,
    st.floats(-1, 1),
    st.integers(0, 99),
)
locks = st.builds(
    Lock,
    holdout=texts,
    seed=st.integers(0, 2**40),
    logical_calls=st.integers(0, 10**6),
    holdout_uses=st.integers(0, 9),
    confirmed=st.booleans(),
    demo_rows=st.lists(texts, max_size=4).map(tuple),
    lessons=st.lists(lessons, max_size=3).map(tuple),
    modules=st.lists(modules, max_size=3).map(tuple),
    cases=st.lists(cases, max_size=5, unique_by=lambda case: case.id).map(tuple),
)


@given(locks)
def test_what_is_dumped_is_read_again(lock):
    text = dump_lock(lock)
    assert parse_lock(text, PATH) == lock
    assert dump_lock(parse_lock(text, PATH)) == text


@given(locks)
def test_each_case_has_a_line_of_its_own(lock):
    lines = dump_lock(lock).split("\n")
    entries = [json.loads(line.rstrip(",")) for line in lines if line.startswith('    {"digest"')]
    assert [entry["id"] for entry in entries] == sorted(case.id for case in lock.cases)


def test_the_salt_of_an_older_lock_is_left_out():
    older = TEXT.replace('"holdout": "5a17"', '"salt": "tests/test_desk"')
    assert parse_lock(older, PATH) == replace(EXAMPLE, holdout="")


def test_a_lock_without_lessons_names_none():
    assert "lessons" not in dump_lock(Lock("", 0, 1))


def test_a_broken_lesson_is_told_by_its_line():
    lesson = LockedLesson("grounded", "none", True, True, "mixed", 1.0, "a/b", 0.1, 25)
    text = dump_lock(Lock("", 0, 1, lessons=(lesson,))).replace("0.1,", '"much",')
    line = 1 + text.split("\n").index(next(one for one in text.split("\n") if "much" in one))
    with pytest.raises(LockError, match=f"^{PATH}:{line}: 'lift' must be a number, not 'much'; "):
        parse_lock(text, PATH)


EXAMPLE = Lock(
    holdout="5a17",
    seed=0,
    logical_calls=2810,
    holdout_uses=1,
    confirmed=True,
    demo_rows=("tickets.jsonl:T-2", "tickets.jsonl:T-1"),
    modules=(
        LockedModule(
            "pipeline.route",
            "../prompts/pipeline.route.yaml",
            "aa",
            "ee",
            "bb",
            "simulated/small",
            {"temperature": 0},
        ),
    ),
    cases=(
        LockedCase("test_queue[T-2]", "test_queue", "tickets.jsonl:T-2", "cc", 1.0),
        LockedCase("test_queue[T-1]", "test_queue", "tickets.jsonl:T-1", "dd", None),
    ),
)
TEXT = """\
{
  "schema_version": 1,
  "holdout": "5a17",
  "seed": 0,
  "logical_calls": 2810,
  "holdout_uses": 1,
  "confirmed": true,
  "demo_rows": [
    "tickets.jsonl:T-1",
    "tickets.jsonl:T-2"
  ],
  "modules": [
    {"docstring": "ee", "frozen": false, "model": "simulated/small", "name": "pipeline.route", \
"parameters": {"temperature": 0}, "prompt": "aa", \
"prompt_path": "../prompts/pipeline.route.yaml", "signature": "bb"}
  ],
  "cases": [
    {"digest": "dd", "id": "test_queue[T-1]", "row": "tickets.jsonl:T-1", "score": null, \
"test": "test_queue"},
    {"digest": "cc", "id": "test_queue[T-2]", "row": "tickets.jsonl:T-2", "score": 1.0, \
"test": "test_queue"}
  ]
}
"""


VERSION = '  "schema_version": 1,\n'
SUMMARY = """\
  "summary": [
    "test_queue: 1.000 (0.21 to 1.00), 1 case",
    "simulated/small"
  ],
"""
CHECK = re.compile(r',\s+"check": "[0-9a-f]{8}"')


def test_the_text_of_a_lock():
    text = dump_lock(EXAMPLE)
    assert CHECK.sub("", text) == TEXT.replace(VERSION, VERSION + SUMMARY)
    assert len(CHECK.findall(text)) == 4, "the head, a module and two cases"
    assert parse_lock(text, PATH) == EXAMPLE
    assert parse_lock(text, PATH).edited == 0
    older = TEXT.replace('"holdout": "5a17"', '"salt": "5a17"')
    assert parse_lock(older, PATH).edited == 0, "older locks have no checks"
    assert parse_lock(TEXT, PATH).edited == 4, "all checks were taken out"
    assert parse_lock(TEXT, PATH).scores == {"test_queue[T-2]": 1.0}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"score": 1.0', '"score": 0.0'),
        ('"score": null', '"score": 0.5'),
        ('"holdout_uses": 1', '"holdout_uses": 0'),
        ('"confirmed": true', '"confirmed": false'),
        ('"prompt": "aa"', '"prompt": "ab"'),
    ],
)
def test_an_edited_lock_is_noticed(old, new):
    text = dump_lock(EXAMPLE)
    assert old in text
    assert parse_lock(text.replace(old, new), PATH).edited == 1


@pytest.mark.parametrize("which", range(4))
def test_a_check_that_was_taken_out_is_noticed(which):
    text = dump_lock(EXAMPLE)
    taken = CHECK.findall(text)[which]
    assert parse_lock(text.replace(taken, ""), PATH).edited == 1


def test_who_edits_a_score_can_compute_its_check():
    forged = dump_lock(replace(EXAMPLE, cases=(replace(EXAMPLE.cases[0], score=0.123),)))
    lock = parse_lock(forged, PATH)
    assert lock.edited == 0
    assert [case.score for case in lock.cases] == [0.123]


def test_the_summary_is_for_readers_alone():
    text = dump_lock(EXAMPLE)
    first, *entries = SUMMARY.splitlines(keepends=True)
    both = text.replace(SUMMARY, "".join([first, entries[0], *entries]))  # a merge kept two sides
    assert text.count("test_queue: 1.000") + 1 == both.count("test_queue: 1.000")
    for other in (text.replace(SUMMARY, ""), both):
        assert (parse_lock(other, PATH), parse_lock(other, PATH).edited) == (EXAMPLE, 0)
        assert dump_lock(parse_lock(other, PATH)) == text


def test_the_summary_has_a_line_for_each_of_the_first_tests():
    cases = [LockedCase(f"{n}", f"test_{n:02}", "r", "", 0.5) for n in range(10)]
    lines = dump_lock(Lock("", 0, 1, cases=tuple(cases))).splitlines()
    assert lines[3].startswith('    "test_00: 0.500 (')
    assert lines[11] == '    "and 2 tests more"'


def test_reordered_lines_and_spaces_are_no_edit():
    data = json.loads(dump_lock(EXAMPLE))
    data["cases"].reverse()
    assert parse_lock(json.dumps(data, indent=4), PATH).edited == 0


def test_a_whole_number_is_a_score_too():
    assert parse_lock(TEXT.replace('"score": 1.0', '"score": 1'), PATH) == EXAMPLE


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ('"seed": 0,', '"seed": 0', 5, "not JSON"),
        ('    {"digest": "dd"', '<<<<<<< ours\n    {"digest": "dd"', 16, "merge conflict"),
        (
            '"schema_version": 1',
            '"schema_version": 2',
            2,
            "schema_version is 2, this release reads 1",
        ),
        ('"seed": 0', '"seed": -1', 4, "'seed' must be a whole number from 0 on, not -1"),
        ('"seed": 0', '"seed": true', 4, "'seed' must be a whole number from 0 on, not True"),
        ('"seed": 0', '"seed": 0, "sed": 1', 1, "unknown key 'sed'"),
        ('  "seed": 0,\n', "", 1, "the key 'seed' is missing"),
        ('"seed": 0', '"holdout": "x"', 4, "the key 'holdout' appears twice"),
        ('"score": 1.0', '"score": 1.5', 17, "'score' must be a score in 0…1 or null, not 1.5"),
        ('"score": 1.0', '"score": NaN', 17, "NaN is not a finite number"),
        ('"temperature": 0', '"temperature": 1e999', 13, "1e999 is not a finite number"),
        ('"temperature": 0', f'"x": {"9" * 5000}', 13, "more than 300 digits"),
        ('"row": "tickets.jsonl:T-2", ', "", 17, "the key 'row' is missing"),
        ('"cc", "id": "test_queue[T-2]"', '"cc", "id": "test_queue[T-1]"', 17, "appears twice"),
        ('"digest": "cc"', '"digest": "cc", "digest": "cc"', 17, "the key 'digest' appears twice"),
        ('    "tickets.jsonl:T-2"', "    2", 10, "demo_rows: 2 is not a text"),
        (
            '"parameters": {"temperature": 0}',
            '"parameters": 1',
            13,
            "'parameters' must be an object",
        ),
    ],
)
def test_a_broken_lock_names_its_line(old, new, line, problem):
    assert old in TEXT
    with pytest.raises(LockError) as error:
        parse_lock(TEXT.replace(old, new, 1), PATH)
    text = str(error.value)
    assert text.startswith(f"{PATH}:{line}: "), text
    assert problem in text
    assert "\n" not in text


@pytest.mark.parametrize("text", ["", "[]", "null", '"lock"', "{}", "[" * 100_000])
def test_what_is_no_lock_is_an_error(text):
    with pytest.raises(LockError, match=r"^tests/test_desk.mipro.json:1: "):
        parse_lock(text, PATH)


def test_a_missing_lock_is_none_and_a_binary_one_an_error(tmp_path):
    assert read_lock(tmp_path / "no.mipro.json") is None
    (tmp_path / "x.mipro.json").write_bytes(b"\xff")
    with pytest.raises(LockError, match=r"x\.mipro\.json:1: not UTF-8"):
        read_lock(tmp_path / "x.mipro.json")
    with pytest.raises(LockError, match="can't be read"):
        read_lock(tmp_path)


def test_a_broken_lock_stops_the_run_in_one_line(pytester, desk):
    desk("@pytest.mark.mipro(threshold=0.5)\ndef test_echo(): assert echo(text='a') == 'a'")
    (pytester.path / "test_desk.mipro.json").write_text(TEXT.replace('"seed": 0,', '"seed": 0'))
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["/*test_desk.mipro.json:5: not JSON*; restore the file, or *"])
    assert not (pytester.path / "calls.txt").exists()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("entry", ['    {"digest": "', '    "row '])
def test_a_merge_that_keeps_lines_of_both_sides_needs_no_commas(entry: str) -> None:
    cases = tuple(LockedCase(name, "t", name, name, 1.0) for name in "abc")
    lock = Lock("", 0, 0, demo_rows=("row a", "row b", "row c"), cases=cases)
    lines = dump_lock(lock).split("\n")
    first, second, last = (n for n, line in enumerate(lines) if line.startswith(entry))
    # Each side added a last entry: the one of ours has no comma behind it.
    lines[second] = lines[second].removesuffix(",")
    assert parse_lock("\n".join(lines), PATH) == lock
    # One side removed the last entry: the one before it keeps its comma.
    lines[last] += ","
    assert parse_lock("\n".join(lines), PATH) == lock
    # Their order says nothing.
    lines[first], lines[last] = lines[last], lines[first]
    assert parse_lock("\n".join(lines), PATH) == lock


def test_what_is_no_entry_keeps_its_commas() -> None:
    text = json.dumps(json.loads(dump_lock(EXAMPLE)), indent=4)
    assert parse_lock(text, PATH) == EXAMPLE
    with pytest.raises(LockError, match=r"mipro\.json:7: not JSON"):
        parse_lock(dump_lock(EXAMPLE).replace('"holdout": "', '"holdout" "'), PATH)
