"""Reading case files: what each format gives, and each refusal with its line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import CaseFileError
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.collecting.case_files import Row, read_case_file


def rows(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_case_file(path, name).rows


def test_jsonl(tmp_path):
    text = '\ufeff{"id": "a", "n": [1, 2.5, null, true]}\n\n{"id": 7, "t": "x\u2028y\x85z"}\r\n'
    first, second = rows(tmp_path, "t.jsonl", text)
    assert (first.line, first.id, first.columns["n"]) == (1, "a", [1, 2.5, None, True])
    assert (second.line, second.id, second.columns["t"]) == (3, "7", "x\u2028y\x85z")


def test_csv_values_are_texts(tmp_path):
    text = '\ufeffid,ticket,n\r\na,"two\nlines, quoted ""so""",1\r\n\r\nb,,2\r\n'
    first, second = rows(tmp_path, "t.CSV", text)
    assert first.columns == {"id": "a", "ticket": 'two\nlines, quoted "so"', "n": "1"}
    assert (first.line, second.line, second.columns["ticket"]) == (2, 5, "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'id,ticket\na,"two\nlines"\n'),
        ("t.yaml", "- id: a\n  ticket: |-\n    two\n    lines\n"),
        ("t.jsonl", '{"id": "a", "ticket": "two\\nlines"}\n'),
    ],
)
def test_the_line_ends_that_git_writes_change_no_row(tmp_path, name, text):
    (unix,), (windows,) = (rows(tmp_path, name, t) for t in (text, text.replace("\n", "\r\n")))
    assert unix == windows
    assert windows.columns["ticket"] == "two\nlines"


def test_a_csv_field_may_be_a_whole_document(tmp_path):
    limit = csv.field_size_limit()
    document = "a line, quoted\n" * 10_800
    assert len(document) == 162_000
    (row,) = rows(tmp_path, "t.csv", f'id,ticket\na,"{document}"\n')
    assert row.columns["ticket"] == document
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("name", ["t.yaml", "t.yml"])
def test_yaml_has_the_types_of_json_alone(tmp_path, name):
    text = """
- id: 007
  date: 2024-01-31
  yes: yes
  n: [1, -2.5, 1e3, null, ~, true]
  quoted: "12"
  block: |
    true
- {id: b, empty: }
"""
    first, second = rows(tmp_path, name, text)
    assert first.columns == {
        "id": "007",
        "date": "2024-01-31",
        "yes": "yes",
        "n": [1, -2.5, 1000.0, None, None, True],
        "quoted": "12",
        "block": "true\n",
    }
    assert (first.line, second.line, second.columns["empty"]) == (2, 9, None)


def test_split_and_demo_are_honoured(tmp_path):
    text = "\n".join(
        json.dumps(row)
        for row in [
            {"id": "a", "split": "holdout", "demo": False},
            {"id": "b", "split": None, "demo": None},
            {"id": "c", "split": "train", "demo": True},
        ]
    )
    found = [(row.split, row.demo) for row in rows(tmp_path, "t.jsonl", text)]
    assert found == [("holdout", False), (None, True), ("train", True)]


def test_split_and_demo_of_csv_are_texts(tmp_path):
    text = "id,split,demo\na,validation,false\nb,,\nc,train,True\n"
    found = [(row.split, row.demo) for row in rows(tmp_path, "t.csv", text)]
    assert found == [("validation", False), (None, True), ("train", True)]


def test_the_digest_of_the_content_is_the_id_of_rows_without_one(tmp_path):
    first, second = rows(tmp_path, "t.jsonl", '{"a": 1, "b": "x"}\n{"a": 2, "b": "x"}')
    assert len(first.id) == 8
    assert int(first.id, 16) != int(second.id, 16)
    other = '{"b": "x", "a": 2, "split": "train", "demo": false}'
    assert rows(tmp_path, "u.jsonl", other)[0].id == second.id  # a tag makes no other row


def test_columns_are_those_of_all_rows_in_order(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 1, "a": 1}\n{"id": 2, "b": 1}')
    assert read_case_file(path).columns == ("id", "a", "b")


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n"
CONFLICT = "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> branch\n"
REFUSED = [
    ("t.jsonl", '{"id": 1}\n' + CONFLICT, 2, "an unresolved merge conflict; keep the rows"),
    ("t.jsonl", '{"id": 1}\n>>>>>>> branch\n', 2, "an unresolved merge conflict; keep the rows"),
    ("t.csv", "id,x\n" + CONFLICT, 2, "an unresolved merge conflict; keep the rows of both"),
    ("t.yaml", "- id: 1\n" + CONFLICT, 2, "an unresolved merge conflict; keep the rows of both"),
    ("t.jsonl", LFS, 1, "a pointer of Git LFS, not the file itself; run `git lfs pull`"),
    ("t.csv", LFS, 1, "a pointer of Git LFS"),
    ("t.yaml", LFS, 1, "a pointer of Git LFS"),
    ("t.txt", "x", 1, "unknown case file type '.txt'; known: .jsonl, .csv, .yaml, .yml"),
    ("t.jsonl", "", 1, "the file has no rows"),
    ("t.jsonl", " \n\n", 1, "the file has no rows"),
    ("t.jsonl", '{"id": 1}\n{"id": 2\n', 2, "not one JSON value: "),
    ("t.jsonl", '{"id": 1} {"id": 2}', 1, "not one JSON value: Extra data (column 11)"),
    ("t.jsonl", '{"id": 1}\n[1]', 2, "a row is a mapping of columns to values, got [1]"),
    (
        "t.jsonl",
        '{"id": 1, "x": NaN}',
        1,
        "NaN is not a finite number; use null, or leave",
    ),
    ("t.jsonl", '{"id": 1, "x": -Infinity}', 1, "-Infinity is not a finite number"),
    ("t.jsonl", '{"id": 1, "x": 1e999}', 1, "1e999 is not a finite number"),
    ("t.jsonl", '{"id": 1, "x": 1, "x": 2}', 1, "the key 'x' appears twice"),
    ("t.jsonl", '{"id": 1, "x": "\\ud800"}', 1, "half of a character pair"),
    ("t.jsonl", '{"id": 1, "x": ' + "[" * 99999, 1, "not usable JSON: "),
    ("t.jsonl", '{"id": 1, "x": ' + "9" * 9999 + "}", 1, "not usable JSON: "),
    ("t.jsonl", b'{"id": 1}\n{"id": "\xff"}', 2, "is not UTF-8 text"),
    ("t.jsonl", '{"id": "a"}\n\n{"id": "a"}', 3, "the id 'a' is also in line 1"),
    ("t.jsonl", '{"id": "1"}\n{"id": 1}', 2, "the id '1' is also in line 1"),
    ("t.jsonl", '{"x": 1}\n{"x": 1}', 2, "the row is the same as in line 1"),
    ("t.jsonl", '{"id": null}', 1, "the id must be a text or a number, got null"),
    ("t.jsonl", '{"id": true}', 1, "the id must be a text or a number, got true"),
    ("t.jsonl", '{"id": ["a"]}', 1, 'the id must be a text or a number, got ["a"]'),
    ("t.jsonl", '{"id": ""}', 1, 'the id must be a text or a number, got ""'),
    ("t.jsonl", '{"id": 1, "split": "test"}', 1, "one of train, validation, holdout, got 'test'"),
    ("t.jsonl", '{"id": 1, "split": ["train"]}', 1, "one of train, validation, holdout, got ["),
    ("t.jsonl", '{"id": 1, "demo": 0}', 1, "the column `demo` must be true or false, got 0"),
    ("t.jsonl", '{"id": 1, "demo": "no"}', 1, "the column `demo` must be true or false, got 'no'"),
    ("t.csv", "id,a\n", 1, "the file has no rows"),
    ("t.csv", 'id,a\n1,"x\ny"\n2,b,c\n', 4, "the row has 3 values, and the header 2 columns"),
    ("t.csv", "id,a\n1\n", 2, "the row has 1 value, and the header 2 columns"),
    ("t.csv", "id,a,a\n1,2,3\n", 1, "the column 'a' appears twice in the header"),
    ("t.csv", 'id,a\n1,"x\n', 2, "not CSV: unexpected end of data"),
    ("t.yaml", "", 1, "the file has no rows"),
    ("t.yaml", "a: 1", 1, "expected a list of rows"),
    ("t.yaml", "- id: 1\n- text", 2, 'a row is a mapping of columns to values, got "text"'),
    ("t.yaml", "- id: 1\n  x: [\n", 3, "not YAML with JSON's types: "),
    ("t.yaml", "- id: 1\n  x: .nan", 2, "'.nan' is not a finite number; use null"),
    ("t.yaml", "- id: 1\n  x: 1\n  x: 2", 3, "the key 'x' appears twice"),
    ("t.yaml", "- id: 1\n  ? [x]\n  : 2", 2, "the key of a sequence is not text; quote it"),
    ("t.yaml", "- &a {id: 1}\n- *a", 2, "an alias (`*name`) is not allowed here"),
    ("t.yaml", "- id: 1\n  x: !!python/name:os.system", 2, "the tag 'tag:yaml.org,2002:python/"),
    ("t.yaml", "- id: 1\n  x: a\x07b", 2, "the character U+0007 is not allowed"),
    ("t.yaml", "- id: " + "9" * 9999, 1, "can't be read as int"),
    ("t.yaml", "- id: 1\n---\n- id: 2", 2, "a second document begins here; drop the line"),
    ("t.yaml", "- id: 1\n  x: " + "[" * 100_000, 2, "nested deeper than 100 levels"),
    ("t.yaml", "- " * 100_000, 1, "nested deeper than 100 levels"),
    ("t.jsonl", '{"x": ' + "[" * 500 + "]" * 500 + "}", 1, "nested deeper than 100 levels"),
    ("t.jsonl", json.dumps({"id": ["x" * 999]}), 1, "the id must be a text or a number"),
]


@pytest.mark.parametrize(("name", "text", "line", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refusals_name_path_and_line(tmp_path, name, text, line, message):
    with pytest.raises(CaseFileError) as caught:
        rows(tmp_path, name, text)
    assert str(caught.value).startswith(f"{name}:{line}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 320


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_file_that_can_not_be_read(tmp_path, make):
    make(tmp_path / "t.jsonl")
    with pytest.raises(CaseFileError, match=r"t\.jsonl:1: can't be read: "):
        read_case_file(tmp_path / "t.jsonl")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=8,
)


def test_the_depth_that_is_allowed(tmp_path):
    text = "[" * 99 + "]" * 99
    (one,) = rows(tmp_path, "t.jsonl", f'{{"x": {text}}}')
    (other,) = rows(tmp_path, "t.yaml", f"- x: {text}")
    assert one.columns == other.columns


def test_a_path_that_is_none(tmp_path):
    with pytest.raises(CaseFileError, match="can't be read: "):
        read_case_file(tmp_path / "a\0.jsonl")


def test_rows_that_earlier_releases_read_are_read(tmp_path):
    text = "- id: !!str 12\n  x: 'no'\n  y: no\n\n  007: &a [1]\n  v: &a {1: x, ~: y, no: n}\n"
    (row,) = rows(tmp_path, "t.yaml", text)
    assert row.columns == {
        "id": "12",
        "x": "no",
        "y": "no",
        "007": [1],
        "v": {"1": "x", "~": "y", "no": "n"},
    }


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), JSON), min_size=1, max_size=4))
def test_what_was_written_is_read_from_jsonl_and_yaml_alike(tmp_path_factory, written):
    tmp_path = tmp_path_factory.mktemp("round")
    written = [{"id": f"row {index}", **row} for index, row in enumerate(written)]
    jsonl = "\n".join(json.dumps(row, ensure_ascii=False) for row in written)
    assert [row.columns for row in rows(tmp_path, "t.jsonl", jsonl)] == written
    as_yaml = yaml.safe_dump(written, allow_unicode=True)
    assert [row.columns for row in rows(tmp_path, "t.yaml", as_yaml)] == written


def test_what_says_how_a_row_is_used_is_no_fact_of_it(tmp_path):
    path = tmp_path / "rows.jsonl"
    usage = {"id": "a", "split": "train", "demo": False, "cluster": 7}
    path.write_text(
        json.dumps({"text": "x", **usage}) + "\n" + json.dumps({"text": "x", "id": "b"})
    )
    one, other = read_case_file(path).rows
    assert dict(one.facts) == {"text": "x"}
    assert (one.cluster, one.split, one.demo) == ("7", "train", False)
    assert one.content == other.content != ""


def test_a_cluster_is_a_text_or_a_number(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "x", "cluster": ["a"]}\n')
    with pytest.raises(CaseFileError, match=r"rows.jsonl:1: the column `cluster` must be a text"):
        read_case_file(path)


def test_how_a_row_is_used_is_no_part_of_its_digest():
    def row(**columns):
        return Row("k", {"id": 7, "text": "a", **columns}, file=Path("x.jsonl"))

    plain = row().digest
    assert plain == content_digest({"id": 7, "text": "a"})
    assert row(split="train", demo=False, cluster="c").digest == plain
    assert row(text="b").digest != plain != row(id=8).digest
    # Of parameters, which have no such columns, all count.
    assert Row("k", {"split": "a"}).digest == content_digest({"split": "a"})
