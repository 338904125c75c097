"""The lock: byte-stable, one case a line, with a summary for readers."""

from __future__ import annotations

import json
from dataclasses import replace

from example_lock import CHECK, EXAMPLE, PATH, SUMMARY, TEXT
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.plugin.lock.lock_file import (
    Lock,
    LockedCase,
    LockedLesson,
    LockedModule,
    dump_lock,
    parse_lock,
)

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
    modules=st.lists(modules, max_size=3, unique_by=lambda m: m.prompt_path).map(tuple),
    cases=st.lists(cases, max_size=5, unique_by=lambda case: case.id).map(tuple),
)


@given(locks)
def test_what_is_dumped_is_read_again(lock):
    text = dump_lock(lock)
    assert parse_lock(text, PATH) == lock
    assert dump_lock(parse_lock(text, PATH)) == text
    assert parse_lock("\ufeff" + text.replace("\n", "\r\n"), PATH) == lock  # of Windows


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


VERSION = '  "schema_version": 1,\n'


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


def test_the_summary_has_a_line_for_each_of_the_first_tests():
    cases = [LockedCase(f"{n}", f"test_{n:02}", "r", "", 0.5) for n in range(10)]
    lines = dump_lock(Lock("", 0, 1, cases=tuple(cases))).splitlines()
    assert lines[3].startswith('    "test_00: 0.500 (')
    assert lines[11] == '    "and 2 tests more"'


def test_a_whole_number_is_a_score_too():
    assert parse_lock(TEXT.replace('"score": 1.0', '"score": 1'), PATH) == EXAMPLE
