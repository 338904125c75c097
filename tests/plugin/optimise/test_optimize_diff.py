"""What a run writes, shows and keeps: `--mipro-diff`, `--mipro-accept`, refused finalists."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from optimize_project import (
    LOCK,
    PROMPT,
    TESTS,
    optimize,
    remove_written,
    run,
    write_project,
    written,
)


def test_the_diff_is_shown_whole_and_nothing_is_written(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-diff")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            f"+++ b/{PROMPT}",
            "+  Look carefully *",
            "files       nothing written: --mipro-diff",
        ]
    )
    result.stdout.no_fnmatch_line("* wrote *")
    assert written(pytester) == {}
    assert not (pytester.path / PROMPT).parent.exists()
    assert not (pytester.path / ".mipro/pending-writes.json").exists()


def test_a_following_run_without_it_writes_what_was_shown(pytester):
    write_project(pytester)
    shown = optimize(pytester, "--mipro-diff").outlines
    optimize(pytester)
    prompt = (pytester.path / PROMPT).read_text().splitlines()
    assert [f"+{line}" for line in prompt] == [
        line for line in shown if line.startswith("+") and not line.startswith("+++")
    ]
    assert (pytester.path / LOCK).exists()


def test_a_prompt_file_that_is_there_is_shown_as_changed(pytester):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    text = "schema_version: 1\nmodule: pipeline.parity\ninstruction: Guess.\ndemos: []\n"
    prompt.write_text(text)
    result = optimize(pytester, "--mipro-diff")
    result.stdout.fnmatch_lines([f"--- a/{PROMPT}", f"+++ b/{PROMPT}", "-instruction: Guess."])
    assert prompt.read_text() == text


HIDING = r"""
plain = reply

def reply(request):
    return plain(request).replace("way ", "\u202eway\u200b ")
"""


def test_characters_that_cannot_be_seen_are_escaped_and_named(pytester):
    write_project(pytester, conftest=HIDING)
    result = optimize(pytester, "--mipro-diff")
    result.stdout.fnmatch_lines(
        [
            "+  Look carefully at the last digit, \\u202eway\\u200b *",
            f"{PROMPT} holds characters that can't be seen: U+200B, U+202E",
        ]
    )
    assert not {"\u202e", "\u200b"} & set(result.stdout.str())


REFUSED = ".mipro/refused/test_numbers-*.diff"
FEW = TESTS.replace("range(40)", "range(11)")


def refused(pytester) -> Path:
    (path,) = pytester.path.glob(REFUSED)
    return path


def test_a_refused_finalist_is_kept_with_its_scores_and_why(pytester):
    write_project(pytester, FEW)
    result = optimize(pytester)
    result.stdout.fnmatch_lines(
        [
            "decision    so few rows decide nothing: lift +0.*",
            "files       nothing written; the refused finalist is kept:",
            " * .mipro/refused/test_numbers-*.diff",
            "next        try --mipro-accept=likely, which writes the finalist, or more rows;",
        ]
    )
    result.stdout.no_fnmatch_line("+  Look carefully *")
    assert written(pytester) == {}
    lines = refused(pytester).read_text().splitlines()
    assert lines[0].startswith("The finalist of test_numbers.mipro.json was not written: so few")
    assert re.fullmatch(r"Score on the rows that decide: 0\.\d{3} → [01]\.\d{3}", lines[1])
    assert re.fullmatch(r"test_parity: 0\.\d{3} → [01]\.\d{3}", lines[2])
    shown = optimize(pytester, "--mipro-diff").outlines
    assert [line for line in lines if line[:1] in "+-"] == [
        line for line in shown if line[:1] in ("+", "-") and " mipro: " not in line
    ]


def test_the_kept_diff_applies_to_new_and_to_changed_prompts(pytester):
    for before in (None, "schema_version: 1\nmodule: pipeline.parity\ninstruction: Guess.\n"):
        write_project(pytester, FEW)
        prompt = pytester.path / PROMPT
        if before is not None:
            prompt.parent.mkdir(exist_ok=True)
            prompt.write_text(before)
        optimize(pytester)
        subprocess.run(["git", "apply", refused(pytester)], cwd=pytester.path, check=True)
        applied = prompt.read_bytes()
        prompt.unlink()
        if before is not None:
            prompt.write_text(before)
        optimize(pytester, "--mipro-accept=likely")
        assert prompt.read_bytes() == applied
        remove_written(pytester)


def test_what_is_accepted_on_demand_is_labelled_everywhere(pytester):
    write_project(pytester, FEW)
    reports = ("--mipro-json=report.json", "--mipro-markdown=report.md")
    result = optimize(pytester, "--mipro-accept=likely", *reports)
    result.stdout.fnmatch_lines(
        ["decision    accepted by --mipro-accept=likely: undecided, not confirmed; *", "files *"]
    )
    assert not list(pytester.path.glob(REFUSED))
    lock = json.loads(written(pytester)[LOCK])
    assert (lock["confirmed"], lock["accepted_as"]) == (False, "undecided")
    (item,) = json.loads((pytester.path / "report.json").read_text())["optimizations"]
    decision = item["decision"]
    assert (decision["verdict"], decision["accepted"]) == ("undecided", True)
    markdown = (pytester.path / "report.md").read_text()
    assert "1 of 1 study accepted, none shown to be better" in markdown
    assert "undecided, not confirmed" in markdown
    run(pytester, "--mipro-update-lock")  # the same prompts, so the same label
    assert json.loads(written(pytester)[LOCK])["accepted_as"] == "undecided"


def test_what_a_later_run_accepts_is_no_longer_kept_as_refused(pytester):
    write_project(pytester, FEW)
    optimize(pytester)
    assert refused(pytester)
    optimize(pytester, "--mipro-accept=likely")
    assert not list(pytester.path.glob(REFUSED))


def test_what_can_not_be_removed_there_is_no_reason_to_lose_a_result(pytester):
    write_project(pytester)
    (pytester.path / ".mipro").mkdir()
    (pytester.path / ".mipro/refused").write_text("in the way", encoding="utf-8")
    assert optimize(pytester).ret == 0
    assert written(pytester)


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("threshold=0.99", r"still fails test_parity: mean 0\.\d+ is below the threshold 0\.99 by"),
        ("threshold=0.9, confidence=0.99", "still fails test_parity: lower bound at 0.99 conf"),
        ("", r"still fails test_parity: \d+ of 40 cases do not pass"),
        ("threshold=0.5", None),
    ],
)
def test_a_better_finalist_that_the_gate_still_fails_is_told(pytester, mark, told):
    write_project(pytester, TESTS.replace("threshold=0.1", mark))
    result = optimize(pytester)
    text = " ".join(result.stdout.str().split())
    assert "decision better" in text
    assert re.search(told, text) if told else "still fails" not in text
    assert bool(told) == (pytester.runpytest_inprocess().ret == pytest.ExitCode.TESTS_FAILED)


def test_recorded_replies_are_to_be_recorded_again_before_a_commit(pytester):
    write_project(pytester)
    run(pytester, "--mipro-replies=record")
    text = " ".join(optimize(pytester).stdout.str().split())
    assert "git diff, pytest --mipro-replies=record, then commit prompts, lock and recorded" in text


ACCEPTING = ("--mipro-optimize", "--mipro-accept=likely")
GROUPS = """
KINDS = [(number, "usual" if number % 20 else "rare") for number in range(160)]

@pytest.mark.mipro(threshold=0.5, group="kind")
@pytest.mark.parametrize("number, kind", KINDS)
def test_parity(number, kind):
    parity(number=str(number))
    careful = "carefully" in parity.prompt.instruction
    return Score(float(not careful) if kind == "rare" else float(careful or number % 2))
"""


def test_a_finalist_under_which_a_group_newly_fails_the_gate_is_refused(pytester):
    write_project(pytester, GROUPS)
    assert run(pytester).ret == 0
    text = " ".join(run(pytester, *ACCEPTING).stdout.str().split())
    assert "decision fails the gate of test_parity, which the committed prompts met" in text
    assert written(pytester) == {}
    whole = GROUPS.replace(', group="kind"', "")
    write_project(pytester, whole)
    text = " ".join(run(pytester, *ACCEPTING).stdout.str().split())
    assert "fails the gate" not in text
    assert written(pytester)
