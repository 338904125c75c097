"""The record of a study: what the proposers saw and said, what was tried, what was learnt."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from optimize_project import LOCK, optimize, remove_written, run, write_project

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.optimizer.run.events import Decided
from pytest_mipro.plugin.optimise.records.study_record import StudyRecord


def record(pytester: pytest.Pytester) -> list[dict[str, object]]:
    (path,) = (pytester.path / ".mipro" / "records").glob("*.jsonl")
    assert path.name.startswith("test_numbers-")
    assert path.suffix == ".jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kinds(lines: list[dict[str, object]], kind: str) -> list[dict[str, object]]:
    return [line for line in lines if line["event"] == kind]


def test_one_run_is_told_in_full(pytester):
    write_project(pytester)
    result = optimize(pytester, "-v", "--mipro-json=r.json", "--mipro-markdown=r.md")
    lines = record(pytester)
    _each_proposal_shows_what_the_model_saw_and_said(lines)
    _trials_are_recorded_with_their_candidates_cases_and_cost(lines)
    _screen_record_and_reports_count_the_same_trials(pytester, result, kinds(lines, "trial"))
    (decision,) = kinds(lines, "decision")
    assert decision["verdict"] == "accept"
    result.stdout.fnmatch_lines(["record      .mipro/records/test_numbers-*.jsonl: what the*"])
    learnt = kinds(lines, "lesson")
    assert learnt
    assert len(json.loads((pytester.path / LOCK).read_text())["lessons"]) == len(learnt)


def _each_proposal_shows_what_the_model_saw_and_said(lines):
    proposals = kinds(lines, "proposal")
    assert {one["strategy"] for one in proposals} == {"grounded", "reflective"}
    for one in proposals:
        (system, said), (user, shown) = one["saw"]
        assert (system, user) == ("system", "user")
        assert "instruction" in said
        assert "`pipeline.parity`" in shown
        assert str(one["said"]).startswith("Look carefully")
    shown = "".join(one["saw"][1][1] for one in proposals)  # by the trace: which side is whose
    assert "got 'odd', wanted 'even'" in shown
    assert "assert 'odd' == 'even'" not in shown


def _trials_are_recorded_with_their_candidates_cases_and_cost(lines):
    offered = kinds(lines, "candidates")
    assert {one["module"] for one in offered} == {"pipeline.parity"}
    assert all(one["instructions"][0] == "Say whether the number is odd." for one in offered)
    trials = kinds(lines, "trial")
    assert len(trials) >= 4
    for trial in trials:
        (module,) = [one for one in offered if one["round"] == trial["round"]]
        instruction, demos = trial["assignment"]
        assert module["instructions"][instruction]
        assert len(module["demo_sets"][demos]) <= 2
        assert len(trial["scores"]) >= trial["rows"]
        assert all(0 <= score <= 1 for score in trial["scores"].values())
        assert trial["price"]["tokens"] > 0
    spent = [trial["spent"]["calls"] for trial in trials]
    assert spent == sorted(spent)
    assert spent[0] > 40  # the baseline's 40 calls, and the trial's own
    (finalist,) = kinds(lines, "finalist")
    assert finalist["assignment"] in [trial["assignment"] for trial in trials]


def _screen_record_and_reports_count_the_same_trials(pytester, result, recorded):
    (told,) = (line for line in result.outlines if line.startswith("trials "))
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    trials = study["trials"]
    assert [{key: one[key] for key in trials[0]} for one in recorded] == trials
    full = [trial for trial in trials if trial["kind"] == "full"]
    count, programs = len(trials), len({tuple(trial["assignment"]) for trial in trials})
    where = f"{count - len(full)} on a minibatch, {len(full)} on all validation rows"
    assert told.split(maxsplit=1)[1] == f"{count}: {where}; {programs} programs scored"
    text = (pytester.path / "r.md").read_text()
    assert f"- {count} trials of {programs} programs, {study['calls']} distinct" in text
    shown = [line.split() for line in result.outlines if line.startswith("trial ")]
    assert [(int(words[1]), words[2]) for words in shown] == [
        (trial["number"], f"{trial['estimate']:.3f}") for trial in full
    ]
    rounds = [line for line in result.outlines if line.startswith("round ")]
    assert {int(line.split()[1]) for line in rounds} == {trial["round"] for trial in trials}


def test_the_same_run_writes_the_same_record(pytester):
    write_project(pytester)
    optimize(pytester)
    first = record(pytester)
    remove_written(pytester)
    optimize(pytester, "--mipro-concurrency=1")
    assert record(pytester) == first


def test_lessons_are_recorded_and_carried_in_the_lock(pytester):
    write_project(pytester)
    optimize(pytester)
    learnt = kinds(record(pytester), "lesson")
    locked = json.loads((pytester.path / LOCK).read_text())["lessons"]
    assert learnt
    lifts = [one["lift"] for one in learnt]
    assert [one["lift"] for one in locked] == pytest.approx(lifts, abs=1e-6)
    optimize(pytester, "--mipro-diff")
    run(pytester, "--mipro-update-lock")
    assert json.loads((pytester.path / LOCK).read_text())["lessons"] == locked


def test_a_secret_that_a_model_says_is_not_recorded(pytester, monkeypatch):
    monkeypatch.setenv("THEIR_API_KEY", "canary-0123456789")
    write_project(
        pytester,
        conftest="""
_reply = reply
def reply(request):
    return _reply(request) + (" canary-0123456789" if "carefully" in _reply(request) else "")
""",
    )
    result = optimize(pytester)
    result.stdout.fnmatch_lines(["*echoed a credential, that of THEIR_API_KEY,*"])
    (path,) = (pytester.path / ".mipro" / "records").glob("*.jsonl")
    assert "canary" not in path.read_text(encoding="utf-8") + result.stdout.str()


def test_a_record_that_can_not_be_written_is_one_line(pytester):
    write_project(pytester)
    optimize(pytester)
    (path,) = (pytester.path / ".mipro" / "records").glob("*.jsonl")
    path.unlink()
    path.mkdir()
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*records*can't be written (Is a directory); move it away*"])


def test_of_two_runs_at_once_the_later_has_the_record(tmp_path):
    (tmp_path / ".mipro").mkdir()
    path = tmp_path / ".mipro/records/x.jsonl"
    first, second = (StudyRecord(path, str) for _ in range(2))
    first.open()
    first(Decided("x", None, "of the first"))
    second.open()
    first(Decided("x", None, "of the first"))
    second(Decided("x", None, "of the second"))
    for record_of in (first, second):
        record_of.close()
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["reason"] == "of the second"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_is_one_line(tmp_path):
    (tmp_path / ".mipro/records").mkdir(parents=True)
    kept = StudyRecord(tmp_path / ".mipro/records/x.jsonl", str)
    kept.open()
    with patch.object(kept, "_file", Path("/dev/full").open("w", encoding="utf-8")):
        with pytest.raises(ConfigurationError, match=r"No space left on device\); make room"):
            kept(Decided("x", None, "nothing better"))
        kept.close()
    kept.close()
