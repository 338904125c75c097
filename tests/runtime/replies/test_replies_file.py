"""The file of recorded replies: its bytes, what it leaves out, and what of it is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_entries import NOON, entry, replies, request

from pytest_mipro.errors import RepliesFileError
from pytest_mipro.runtime.client.contract import Reply
from pytest_mipro.runtime.replies.recorded import recorded
from pytest_mipro.runtime.replies.replies_file import (
    dump_replies,
    from_line,
    parse_replies,
    read_replies,
    to_line,
)


def test_its_bytes_are_sorted_and_the_same_for_the_same_replies():
    entries = [entry("b", case="test_it[2]"), entry("a", case="test_it[1]"), entry("c")]
    text = dump_replies(entries)
    assert text == dump_replies(reversed(entries))
    assert parse_replies(text, "f") == sorted(entries, key=lambda reply: reply.sort_key)
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0] == {"schema_version": 2}
    assert [line["case"] for line in lines[1:]] == ["test_it[1]", "test_it[1]", "test_it[2]"]
    assert lines[1]["asked"] == "2026-03-31"


def test_no_text_of_the_request_is_in_it():
    text = dump_replies([entry("the ticket's text", "SHORT")])
    assert "ticket" not in text
    assert "Shout" not in text
    assert "OLD" not in text
    assert len(text) < 600


@given(st.text(st.characters(), max_size=40), st.text(max_size=10), st.integers(0, 3))
def test_every_text_survives(text, case, sample):
    known = recorded(case, "m", request(text, sample=sample), Reply(text, asked=NOON))
    line = to_line(known)
    assert len(line.splitlines()) == 1
    line.encode()
    assert from_line(line) == known
    # A pair of halves is the character: a reply that comes from the cache has it already.
    assert dump_replies(parse_replies(dump_replies([known]), "f")) == dump_replies([known])


def test_a_missing_file_holds_nothing(tmp_path):
    assert read_replies(tmp_path / "none.jsonl") == []


def line(**changes: object) -> str:
    return json.dumps(json.loads(to_line(entry())) | changes)


HEAD = '{"schema_version": 2}'
GOOD = to_line(entry())


@pytest.mark.parametrize(
    ("lines", "number", "told"),
    [
        ([GOOD], 1, "no line holds the schema_version"),
        (
            ['{"schema_version": 3}'],
            1,
            "is 3, this release reads 2; update pytest-mipro",
        ),
        (["version https://git-lfs.github.com/spec/v1"], 1, "a pointer of Git LFS, not the file"),
        ([HEAD, GOOD[:-1]], 2, "not JSON"),
        ([HEAD, "[]"], 2, "expected an object"),
        ([HEAD, "", '{"case": "a", "case": "b"}'], 3, "the key 'case' appears twice"),
        ([HEAD, line(headers={})], 2, "unknown key 'headers'"),
        ([HEAD, line(cost=-1)], 2, "'cost' must be a number from 0 on, or null, not -1"),
        ([HEAD, GOOD.replace("0.25", "NaN")], 2, "NaN is not a finite number"),
        ([HEAD, GOOD.replace("0.25", "1e999")], 2, "1e999 is not a finite number"),
        ([HEAD, GOOD.replace("0.25", "9" * 5000)], 2, "more than 300 digits"),
        ([HEAD, line(asked="31.3.2026")], 2, "'asked' must be a day as 2026-03-31, or null"),
        ([HEAD, line(usage=[1])], 2, "'usage' must be two whole numbers from 0 on, not [1]"),
        ([HEAD, line(text=None)], 2, "'text' must be a text, not None"),
        ([HEAD, line(request={})], 2, "the key 'model' is missing"),
        ([HEAD, "{}"], 2, "the key 'case' is missing"),
        ([HEAD, "[" * 100_000], 2, ""),
        ([HEAD, "<<<<<<< ours", GOOD], 2, "an unresolved merge conflict; keep the lines of both"),
        ([HEAD, GOOD, ">>>>>>> theirs"], 3, "an unresolved merge conflict"),
        (
            [HEAD, GOOD, line(text="other")],
            3,
            "another reply to the request of line 2; delete one of the two lines",
        ),
    ],
)
def test_a_broken_file_is_refused_by_its_line(tmp_path, lines, number, told):
    path = tmp_path / "x.replies.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RepliesFileError) as caught:
        read_replies(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{number}: ")
    assert told in text
    assert "; " in text  # the remedy
    assert "\n" not in text


def test_replies_that_an_earlier_release_changed_count_as_none(tmp_path):
    path = tmp_path / "x.replies.jsonl"
    lines = [GOOD, line(text="it is [hidden]", key="0" * 32)]
    path.write_text("\n".join([HEAD, *lines]), encoding="utf-8")
    assert len(read_replies(path)) == 2  # a model may say so
    path.write_text("\n".join(['{"schema_version": 1}', *lines]), encoding="utf-8")
    assert [reply.text for reply in read_replies(path)] == [entry().text]


def test_bytes_that_are_no_text_are_refused_by_their_line(tmp_path):
    path = tmp_path / "x.replies.jsonl"
    path.write_bytes(HEAD.encode() + b"\n\xff\n")
    with pytest.raises(RepliesFileError, match=r"f:2: not UTF-8"):
        read_replies(path, "f")


@pytest.mark.skipif(os.name != "posix", reason="folders can be opened elsewhere")
def test_what_is_no_file_is_refused(tmp_path: Path):
    with pytest.raises(RepliesFileError, match=r"f:1: can't be read"):
        read_replies(tmp_path, "f")


def test_lines_that_a_tool_has_sorted_are_read():
    text = dump_replies([entry("a"), entry("b")])
    moved = "\n".join(sorted(text.splitlines()))
    assert not moved.startswith(HEAD)
    assert parse_replies(moved, "f") == parse_replies(text, "f")


def test_a_merge_of_both_sides_lines_is_read():
    ours, theirs = entry("a"), entry("b")
    text = "\n".join([HEAD, to_line(ours), GOOD, HEAD, to_line(theirs), GOOD])
    merged = replies(*parse_replies(text, "f"))
    assert {reply.key for reply in merged} == {ours.key, theirs.key, entry().key}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_mark_of_windows_are_read(tmp_path, mark):
    path = tmp_path / "x.replies.jsonl"
    path.write_bytes((mark + dump_replies([entry()]).replace("\n", "\r\n")).encode())
    assert read_replies(path) == [entry()]
