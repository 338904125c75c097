"""Whatever folder pytest is run from, every path of a run's output leads somewhere from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gate_project import LOCK as GATE_LOCK
from gate_project import write_gate, write_prompt
from optimize_project import LOCK, PROMPT, optimize, write_project

from pytest_mipro.plugin.config.paths import format_path

SAY = "prompts/pipeline.say.yaml"


@pytest.mark.parametrize("where", ["above", "below"])
def test_an_optimisation_from_another_folder(pytester, monkeypatch, where):
    write_project(pytester)
    inner = pytester.mkdir("inner")
    monkeypatch.chdir(pytester.path.parent if where == "above" else inner)
    base = pytester.path.name if where == "above" else ".."
    result = optimize(pytester, base, "-v")
    result.stdout.fnmatch_lines(
        [
            f"record      {base}/.mipro/records/*",
            f"+++ b/{base}/{PROMPT}",
            f"*{base}/{PROMPT},*",
        ]
    )
    assert Path(base, PROMPT).is_file()
    assert PROMPT in (pytester.path / LOCK).read_text()
    assert base not in (pytester.path / LOCK).read_text()


def test_a_gate_from_another_folder(pytester, monkeypatch):
    write_gate(pytester)
    write_prompt(pytester, "Say the word now.")
    monkeypatch.chdir(pytester.path.parent)
    base = pytester.path.name
    wrote = pytester.runpytest(base, "--mipro-update-lock")
    wrote.stdout.fnmatch_lines([f"wrote {base}/{GATE_LOCK}: the scores of 6 cases"])
    write_prompt(pytester, "Speak the word.")
    report = pytester.path / "out.json"
    told = pytester.runpytest(base, f"--mipro-json={report}")
    told.stdout.fnmatch_lines(
        [f"differs from {base}/{GATE_LOCK}:", f"  {base}/{SAY} changed: *"],
        consecutive=True,
    )
    (study,) = json.loads(report.read_text())["studies"]  # its paths are the ini folder's
    assert study["lock"]["path"] == GATE_LOCK
    assert study["lock"]["differences"][0]["what"] == f"{SAY} changed"


def test_a_path_outside_of_folder_and_project_is_absolute(pytester, tmp_path_factory):
    config = pytester.parseconfig()
    outside = tmp_path_factory.mktemp("outside") / "cache"
    assert format_path(config, outside) == outside.as_posix()
    assert format_path(config, pytester.path / "a/b") == "a/b"
