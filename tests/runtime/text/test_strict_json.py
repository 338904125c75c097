"""Strict JSON: what it refuses, in every kind of file alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_mipro.errors import CaseFileError, LockError, RepliesFileError
from pytest_mipro.plugin.collecting.case_files import read_case_file
from pytest_mipro.plugin.lock.lock_file import parse_lock
from pytest_mipro.runtime.replies.replies_file import parse_replies
from pytest_mipro.runtime.text.strict_json import NotFiniteError, load_json

REFUSED = {
    '{"a": 1, "a": 2}': "the key 'a' appears twice",
    '{"a": NaN}': "NaN is not a finite number",
    '{"a": -Infinity}': "-Infinity is not a finite number",
    '{"a": 1e999}': "1e999 is not a finite number",
    '{"a": ' + "9" * 5000 + "}": "more than 300 digits",
    "[" * 100_000: "it is nested too deeply",
}


def test_json_values_are_read() -> None:
    assert load_json('{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}
    assert load_json('{"a": 1, "a": 2}', repeated_keys=True) == {"a": 2}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=REFUSED.values())
def test_every_kind_of_file_refuses_the_same(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_json(text)
    with pytest.raises(LockError, match=reason):
        parse_lock(text, Path("a.mipro.json"))
    with pytest.raises(RepliesFileError, match=reason):
        parse_replies(f'{{"schema_version": 1}}\n{text}', "a.replies.jsonl")
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(CaseFileError, match=reason):
        read_case_file(tmp_path / "a.jsonl")


def test_what_is_no_json_keeps_its_place() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        load_json('{"a":\n 1 2}')
    assert (caught.value.lineno, caught.value.colno) == (2, 4)
    with pytest.raises(NotFiniteError):
        load_json("[1, NaN]")
