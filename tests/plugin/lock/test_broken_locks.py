"""Locks that can't be read: each one line, which names the lock's line."""

from __future__ import annotations

import pytest
from example_lock import PATH, TEXT

from pytest_mipro.errors import LockError
from pytest_mipro.plugin.lock.lock_file import Lock, LockedLesson, dump_lock, parse_lock, read_lock


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ('"seed": 0,', '"seed": 0', 5, "not JSON"),
        ('    {"digest": "dd"', '<<<<<<< ours\n    {"digest": "dd"', 16, "merge conflict"),
        ('    {"digest": "dd"', '>>>>>>> theirs\n    {"digest": "dd"', 16, "merge conflict"),
        (
            '"schema_version": 1',
            '"schema_version": 2',
            2,
            "schema_version is 2, this release reads 1; update pytest-mipro",
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


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("", "", "the module 'pipeline.route' appears twice; restore the file"),
        ('"bb"', '"xx"', "the module 'pipeline.route' appears twice"),
        ('"aa"', '"xx"', "the module 'pipeline.route' appears with two prompts"),
        ('"aa"', '"xx", "model": "b/c"', "the module 'pipeline.route' appears with two prompts"),
    ],
)
def test_a_module_that_a_merge_kept_twice_is_told_by_its_line(old, new, problem):
    lines = TEXT.split("\n")
    entry = lines[12]
    other = entry.replace(old, new) if old else entry
    if '"b/c"' in other:
        other = other.replace('"model": "simulated/small", ', "", 1)
    lines[12:13] = [f"{entry},", other]
    with pytest.raises(LockError) as error:
        parse_lock("\n".join(lines), PATH)
    assert str(error.value).startswith(f"{PATH}:14: {problem}")


def test_a_module_called_with_two_models_has_two_entries():
    lines = TEXT.split("\n")
    lines[12:13] = [f"{lines[12]},", lines[12].replace("simulated/small", "simulated/large")]
    assert [module.model for module in parse_lock("\n".join(lines), PATH).modules] == [
        "simulated/large",
        "simulated/small",
    ]


def test_a_broken_lesson_is_told_by_its_line():
    lesson = LockedLesson("grounded", "none", True, True, "mixed", 1.0, "a/b", 0.1, 25)
    text = dump_lock(Lock("", 0, 1, lessons=(lesson,))).replace("0.1,", '"much",')
    line = 1 + text.split("\n").index(next(one for one in text.split("\n") if "much" in one))
    with pytest.raises(LockError, match=f"^{PATH}:{line}: 'lift' must be a number, not 'much'; "):
        parse_lock(text, PATH)


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            TEXT.replace('  "seed": 0', '<<<<<<< ours\n  "seed": 0', 1),
            "4: an unresolved merge conflict; keep one side, and run `pytest --mipro-update-lock`",
        ),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n",
            "1: a pointer of Git LFS, not the file itself; run `git lfs pull`",
        ),
        (
            TEXT.replace('"schema_version": 1', '"schema_version": 2'),
            "2: schema_version is 2, this release reads 1; update pytest-mipro",
        ),
    ],
)
def test_what_holds_a_lock_elsewhere_is_not_to_be_deleted(text, told):
    with pytest.raises(LockError) as error:
        parse_lock(text, PATH)
    assert str(error.value) == f"{PATH}:{told}"
