"""`check`: prompts against locks, and a wheel against both; it imports nothing."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from cli_project import LOCK, OWN, PIPELINE, PROMPT, ROUTE, SHORT, TRIAGE, Run, wheel_of, write
from lm_stub import stub


def test_all_agree(locked: Path, command: Run) -> None:
    ended = command("check")
    assert (ended.status, ended.out) == (0, "2 prompts, 1 lock: all agree\n")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="no folder is closed to root")
def test_a_folder_of_another_user_holds_no_sources(locked: Path, command: Run) -> None:
    closed = locked / "database"  # as a container's volume
    closed.mkdir(mode=0o000)
    try:
        ended = command("check")
    finally:
        closed.chmod(0o700)
    assert (ended.status, ended.out) == (0, "2 prompts, 1 lock: all agree\n")


def test_a_lock_whose_tests_are_gone_is_told(locked: Path, command: Run) -> None:
    (locked / "tests/test_desk.py").unlink()
    ended = command("check")
    assert ended.status == 1
    assert f"{LOCK}: there is no tests/test_desk.py, nor a study of its name; restore " in ended.out


def test_a_lock_of_a_study_that_a_mark_names_has_tests(locked: Path, command: Run) -> None:
    (locked / LOCK).rename(locked / "tests/support.mipro.json")
    assert "nor a study of its name" in command("check").out
    write(
        locked, "tests/test_more.py", "import pytest\nNAME = pytest.mark.mipro(study='support')\n"
    )
    assert "nor a study of its name" not in command("check").out


def test_two_locks_of_one_study_are_told(locked: Path, command: Run) -> None:
    write(locked, "tests/test_more.py", "import pytest\nNAME = pytest.mark.mipro(study='desk')\n")
    text = (locked / LOCK).read_text()
    write(locked, "tests/a/desk.mipro.json", text)
    assert "is a lock of this study, too" not in command("check").out
    write(locked, "tests/b/desk.mipro.json", text)
    ended = command("check")
    assert ended.status == 1
    told = "tests/b/desk.mipro.json: tests/a/desk.mipro.json is a lock of this study, too; keep "
    assert told in ended.out


def test_locks_of_test_files_of_one_name_are_two_studies(locked: Path, command: Run) -> None:
    for folder in ("a", "b"):
        write(locked, f"tests/{folder}/test_desk.py", "")
        write(locked, f"tests/{folder}/test_desk.mipro.json", (locked / LOCK).read_text())
    assert "is a lock of this study, too" not in command("check").out


def test_inputs_of_a_demo_count_in_the_order_of_the_module(locked: Path, command: Run) -> None:
    swapped = PROMPT.replace("    summary: It broke.\n", "").replace(
        "    product: Till\n", "    product: Till\n    summary: It broke.\n"
    )
    assert swapped != PROMPT
    write(locked, ROUTE, swapped)
    assert command("check").status == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (ROUTE, "well", "fast", f"{LOCK}: {ROUTE} changed since it was locked; `pytest --mipro-"),
        (
            *("desk/pipeline.py", "what the customer", "whatever the customer"),
            f"{LOCK}: the docstring of pipeline.sum_up changed since it was locked",
        ),
        (LOCK, '"seed": 0', '"seed": 1', f"{LOCK}: 1 line edited since it was written"),
        (LOCK, '"schema_version": 1', '"schema_version": 9', f"{LOCK}:2: schema_version is 9"),
        (
            *("desk/pipeline.py", "def sum_up", "def sum"),
            f"{LOCK}: the module pipeline.sum_up, which it locked, is in no source file any more",
        ),
    ],
)
def test_each_difference_is_a_line(
    locked: Path, command: Run, file: str, old: str, new: str, said: str
) -> None:
    text = (locked / file).read_text(encoding="utf-8")
    assert old in text
    write(locked, file, text.replace(old, new))
    ended = command("check")
    assert ended.status == 1
    assert said in ended.out
    assert ended.out.endswith("1 difference\n")


def test_a_prompt_that_is_gone_or_new(locked: Path, command: Run) -> None:
    (locked / ROUTE).unlink()
    sum_up = "desk/prompts/pipeline.sum_up.yaml"
    write(locked, sum_up, PROMPT.partition("demos")[0].replace("route", "sum_up"))
    out = command("check").out
    assert f"{ROUTE} is gone, the locked prompt of pipeline.route; restore it" in out
    assert f"{sum_up} is new since it locked the docstring of pipeline.sum_up" in out


def test_a_locked_prompt_whose_module_was_renamed(locked: Path, command: Run) -> None:
    source = (locked / "desk/pipeline.py").read_text(encoding="utf-8")
    assert "def route(" in source
    write(locked, "desk/pipeline.py", source.replace("def route(", "def send("))
    ended = command("check")
    assert ended.status == 1
    assert f"{LOCK}: {ROUTE} is of no module any more: pipeline.route, which it" in ended.out
    made = "def make(name):\n    @lm_module(prompt=name)\n    def old(text: str) -> str: ...\n"
    write(locked, "desk/made.py", made)  # it may be this one's
    assert command("check").status == 0


def test_a_prompt_of_no_module(locked: Path, command: Run) -> None:
    write(locked, "desk/prompts/pipeline.old.yaml", PROMPT.replace("route", "old"))
    ended = command("check")
    assert ended.status == 1
    assert "desk/prompts/pipeline.old.yaml: no LM module uses it" in ended.out
    made = "def make(name):\n    @lm_module(prompt=name)\n    def old(text: str) -> str: ...\n"
    write(locked, "desk/made.py", made)  # it may be this one's: that can't be told
    assert command("check").status == 0


def test_what_can_not_be_read_is_one_line(desk: Path, command: Run) -> None:
    ended = command("check", str(write(desk, "not.whl", "text")))
    assert ended.status == 2
    assert "not.whl: is no wheel that can be read" in ended.err
    with zipfile.ZipFile(desk / "broken.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("desk/pipeline.py", (desk / "desk/pipeline.py").read_text())
    broken = bytearray((desk / "broken.whl").read_bytes())
    broken[60:80] = bytes(20)
    (desk / "broken.whl").write_bytes(broken)
    ended = command("check", "broken.whl")
    assert (ended.status, ended.err.count("\n")) == (1, 0), ended.err
    write(desk, ROUTE, "instruction: [")
    write(desk, "tests/none.mipro.json", "{}")
    ended = command("check")
    assert ended.status == 1
    assert "tests/none.mipro.json:1: " in ended.out
    assert f"{ROUTE}:1: " in ended.out
    assert ended.out.endswith("2 differences\n")


def test_a_file_of_another_encoding_hides_no_other_difference(own: Path, command: Run) -> None:
    for name in ("other.yaml", "desk/prompts/other.yaml", TRIAGE_MD, "tests/test_own.mipro.json"):
        write(own, name, "").write_bytes(b"schema_version: 1\nname: caf\xe9\n")
    ended = command("check")
    assert (ended.status, ended.err) == (1, "")
    why = "2: not UTF-8 (invalid continuation byte); save it as UTF-8"
    lock, prompt, end = ended.out.splitlines()
    assert lock == f"tests/test_own.mipro.json:{why}"
    assert prompt.endswith(f"{TRIAGE_MD}:{why}")
    assert end == "2 prompts, 0 locks: 2 differences"


def test_a_folder_without_prompts_is_an_error(command: Run) -> None:
    ended = command("check")
    assert (ended.status, ended.out) == (2, "")
    assert "there is no LM module, no prompt text and no lock here" in ended.err


def test_variants_belong_to_their_module(locked: Path, command: Run) -> None:
    acme = ROUTE.replace(".yaml", "@acme.yaml")
    write(locked, acme, PROMPT.replace("well", "for Acme"))
    assert command("check").out == "3 prompts, 1 lock: all agree\n"
    assert command("check", str(wheel_of(locked))).status == 0
    out = command("check", str(wheel_of(locked, acme))).out
    assert f"it lacks {acme}, so pipeline.route@acme would run on the prompt of pipeline.rou" in out
    write(locked, ROUTE.replace("route", "old@acme"), PROMPT.replace("route", "old"))
    assert "pipeline.old@acme.yaml: no LM module uses it" in command("check").out


def test_a_locked_variant_without_a_file_is_compared_with_the_plain_prompt(
    desk: Path, pytester: pytest.Pytester, command: Run
) -> None:
    write(desk, ROUTE, PROMPT)
    chosen = PIPELINE.replace("return route(", 'return route.using(variant="acme")(')
    write(desk, "desk/pipeline.py", chosen)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mipro-update-lock")
    assert "route@acme" in (desk / LOCK).read_text()
    assert command("check").status == 0
    write(desk, ROUTE, PROMPT.replace("well", "fast"))
    ended = command("check")
    assert ended.status == 1
    assert f"{LOCK}: {ROUTE} changed since it was locked; " in ended.out


TRIAGE_MD = "desk/prompts/triage.md"


@pytest.fixture
def locked_text(own: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a prompt text, whose scores are locked."""
    with stub() as server:
        server.answers = lambda _: "bug"
        monkeypatch.setenv("STUB", server.url)
        pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mipro-update-lock")
    write(own, "desk/own.py", f"raise SystemExit('it was run')\n{OWN}")
    return own


def test_prompt_texts_against_lock_and_wheel(locked_text: Path, command: Run) -> None:
    lock, wheel = "tests/test_own.mipro.json", wheel_of(locked_text)
    assert command("check", str(wheel)).out == (
        f"2 prompts, 1 lock, the wheel {wheel.name}: all agree\n"
    )
    lacking = wheel_of(locked_text, TRIAGE_MD)
    out = command("check", str(lacking)).out
    assert f"it lacks {TRIAGE_MD}, so triage.md would be an error; include the file" in out
    write(locked_text, TRIAGE_MD, TRIAGE.replace("route", "sort"))
    out = command("check", str(wheel_of(locked_text))).out
    assert out.splitlines()[0] == (
        f"{lock}: {TRIAGE_MD} changed since it was locked; `pytest --mipro-update-lock` locks "
        "today's scores"
    )
    assert "2 prompts, 1 lock" in out
    write(locked_text, TRIAGE_MD, TRIAGE)
    old = wheel_of(locked_text)
    write(locked_text, "desk/prompts/triage@acme.md", "For Acme.\n")
    out = command("check", str(old)).out
    assert (
        "it lacks desk/prompts/triage@acme.md, so triage.md@acme would run on the prompt of" in out
    )
    (locked_text / TRIAGE_MD).unlink()
    out = command("check").out
    assert f"{lock}: {TRIAGE_MD} is gone, the locked prompt of triage.md; restore it" in out
    assert out.endswith("1 difference\n")


def test_a_file_that_a_source_needs_is_there(own: Path, command: Run) -> None:
    (own / TRIAGE_MD).unlink()
    needs = PIPELINE.replace("@lm_module\ndef", '@lm_module(prompt="sum.md")\ndef')
    write(own, "desk/pipeline.py", needs)
    write(own, "desk/prompts/short.yaml", SHORT.replace("demos: []", "x: []"))
    first, *lines = command("check").out.splitlines()
    assert first.startswith("desk/prompts/short.yaml:5: unknown key 'x'; known: ")
    assert lines == [
        "desk/own.py: desk/prompts/triage.md, which prompts/triage.md is read from, is not there",
        "desk/pipeline.py: desk/sum.md, which sum_up is read from, is not there",
        "4 prompts, 0 locks: 3 differences",
    ]


def test_a_module_beyond_the_tree_is_not_told_as_gone(locked: Path, command: Run) -> None:
    (locked / "desk").rename(locked / ".vendor")
    lock = (locked / LOCK).read_text(encoding="utf-8")
    write(locked, LOCK, lock.replace("/desk/", "/.vendor/"))
    assert "/.vendor/prompts" in (locked / LOCK).read_text(encoding="utf-8")
    assert "is gone" not in command("check").out


def test_of_a_source_with_a_syntax_error_no_module_counts_as_gone(
    locked: Path, command: Run
) -> None:
    write(locked, "desk/pipeline.py", f"{PIPELINE}\ndef broken(:\n")
    ended = command("check")
    line = f"{PIPELINE}\n".count("\n") + 1
    told = f"desk/pipeline.py:{line}: invalid syntax; its prompts can't be seen\n"
    assert (ended.status, ended.out) == (0, f"{told}2 prompts, 1 lock: all agree\n")
