"""`--mipro-report`: the page of a plain gate."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
from gate_project import LOCK, TESTS, WORDS, write_gate, write_prompt

from pytest_mipro.plugin.report.page.lock_history import lock_history

SUBJECT = "Say it\tloudly\u2028and\fclearly"  # all in one line to git


def page(pytester: pytest.Pytester) -> Any:
    (path,) = (pytester.path / ".mipro" / "report").glob("*/gate.html")
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def git(pytester: pytest.Pytester, *command: str) -> None:
    names = {f"GIT_{who}_NAME": "desk" for who in ("AUTHOR", "COMMITTER")}
    names |= {f"GIT_{who}_EMAIL": "desk@desk.example" for who in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", *command], cwd=pytester.path, env={**os.environ, **names}, check=True)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_the_page_shows_each_case_with_its_calls_beside_the_lock(pytester, workers):
    pytest.importorskip("xdist")
    write_gate(pytester, TESTS.replace("threshold=0.1", 'threshold=0.1, group="text"'))
    pytester.runpytest("--mipro-update-lock")
    write_prompt(pytester, "Say the word loudly.")
    result = pytester.runpytest("--mipro-report", workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*mipro: report page .mipro/report/test_words-*/gate.html*"])
    data = page(pytester)
    assert data["kind"] == "gate"
    (test,) = data["summary"]["tests"]
    assert (test["status"], test["mean"], test["cases"]) == ("passed", 1.0, len(WORDS))
    assert test["lift"]["mean"] > 0
    assert "prompt" in data["summary"]["differences"][0]
    cases = {case["row"]: case for case in data["cases"]}
    assert set(cases) == {f"words.jsonl:{word}" for word in WORDS}
    two = cases["words.jsonl:two"]
    assert (two["before"], two["now"], two["part"]) == (0.0, 1.0, "two")
    ((call,),) = [run["calls"] for run in two["runs"]]
    assert data["texts"][call["reply"]] == "TWO"
    role, number = call["asked"]
    assert (role, "two" in data["texts"][number]) == ("user", True)
    (system,) = data["leads"][call["lead"]]
    assert data["texts"][system[1]].startswith("Say the word loudly.")
    assert data["spending"][0]["calls"] == len(WORDS)


def test_without_the_option_there_is_no_page_and_nothing_more_in_other_reports(pytester):
    write_gate(pytester)
    pytester.runpytest()
    assert not (pytester.path / ".mipro" / "report").exists()
    pytester.runpytest("--mipro-report", "--junitxml=junit.xml")
    assert "mipro_show" not in (pytester.path / "junit.xml").read_text()


def test_a_page_that_cant_be_written_fails_the_run_that_asked_for_it(pytester):
    write_gate(pytester)
    (pytester.path / ".mipro").mkdir()
    (pytester.path / ".mipro" / "report").write_text("in the way")
    result = pytester.runpytest("--mipro-report")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*mipro: no report page: *"])


def test_the_trend_is_that_of_the_locks_commits(pytester):
    write_gate(pytester)
    git(pytester, "init", "-q")
    pytester.runpytest("--mipro-update-lock")
    git(pytester, "add", LOCK)
    git(pytester, "commit", "-q", "-m", "First scores")
    write_prompt(pytester, "Say the word loudly.")
    pytester.runpytest("--mipro-update-lock")
    git(pytester, "commit", "-q", "-a", "-m", SUBJECT)
    (pytester.path / LOCK).write_text("{")
    git(pytester, "commit", "-q", "-a", "-m", "A broken lock")
    git(pytester, "rm", "-q", LOCK)
    git(pytester, "commit", "-q", "-m", "No lock")
    history = lock_history(pytester.path / LOCK)
    assert [each.subject for each in history] == ["First scores", SUBJECT]
    assert history[0].score < history[1].score == 1.0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", history[0].day)
    pytester.runpytest("--mipro-report")
    assert [each["subject"] for each in page(pytester)["history"]] == [e.subject for e in history]


def test_without_a_repository_there_is_no_trend(pytester, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(pytester.path.parent))
    assert lock_history(pytester.path / LOCK) == ()
    monkeypatch.setenv("PATH", "")
    assert lock_history(pytester.path / LOCK) == ()
