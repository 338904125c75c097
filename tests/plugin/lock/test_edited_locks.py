"""Locks that were edited or merged: which changes are noticed, and which mean nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from example_lock import CHECK, EXAMPLE, PATH, SUMMARY

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, dump_lock, parse_lock


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


def test_reordered_lines_and_spaces_are_no_edit():
    data = json.loads(dump_lock(EXAMPLE))
    data["cases"].reverse()
    assert parse_lock(json.dumps(data, indent=4), PATH).edited == 0


def test_whole_scores_without_a_fraction_are_no_edit():
    text = dump_lock(EXAMPLE)
    other = text.replace('"score": 1.0', '"score": 1')  # as jq and JavaScript write it
    assert other != text
    assert (parse_lock(other, PATH), parse_lock(other, PATH).edited) == (EXAMPLE, 0)
    assert parse_lock(other.replace('"score": 1', '"score": 0'), PATH).edited == 1


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
