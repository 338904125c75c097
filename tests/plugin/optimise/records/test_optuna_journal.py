"""The journal of a search: Optuna, and so optuna-dashboard, opens it while the study runs."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path

import optuna
import pytest
from optimize_project import LOCK, optimize, write_project
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.plugin.optimise.records.optuna_journal import OptunaJournal

LOOKS_ON = """
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def pytest_mipro_trial_finished(config, trial):
    (path,) = (config.rootpath / ".mipro/optuna").glob("*.log")
    storage = JournalStorage(JournalFileBackend(str(path)))
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    same = study.trials[-1].value == trial.estimate
    with (config.rootpath / "seen.txt").open("a") as seen:
        seen.write(f"{trial.number} {len(study.trials)} {same}\\n")
"""


def study_of(pytester: pytest.Pytester) -> optuna.Study:
    (path,) = (pytester.path / ".mipro/optuna").glob("*.log")
    assert re.fullmatch(r"test_numbers-\w{8}\.log", path.name)
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.load_study(study_name=LOCK, storage=storage)


def trials_of(pytester: pytest.Pytester) -> list[dict[str, object]]:
    (path,) = (pytester.path / ".mipro/records").glob("*.jsonl")
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["event"] == "trial"]


def test_it_holds_each_trial_while_the_study_runs(pytester, monkeypatch):
    write_project(pytester)
    pytester.makepyfile(looks_on=LOOKS_ON)
    monkeypatch.syspath_prepend(pytester.path)
    assert optimize(pytester, "-p", "looks_on").ret == 0
    seen = (pytester.path / "seen.txt").read_text(encoding="utf-8").splitlines()
    assert seen == [f"{number} {number} True" for number in range(1, len(trials_of(pytester)) + 1)]


def test_a_parameter_is_the_choice_of_a_module(pytester):
    write_project(pytester)
    optimize(pytester)
    study, trials = study_of(pytester), trials_of(pytester)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert [list(trial.params.values()) for trial in study.trials] == [
        trial["assignment"] for trial in trials
    ]
    names = {name for trial in study.trials for name in trial.params}
    assert names == {"pipeline.parity instruction", "pipeline.parity demos"}
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert [trial.user_attrs["kind"] for trial in study.trials] == [it["kind"] for it in trials]
    assert study.best_value == max(trial["estimate"] for trial in trials)


def test_another_run_begins_it_anew(pytester):
    write_project(pytester)
    optimize(pytester)
    first = len(study_of(pytester).trials)
    optimize(pytester, "--mipro-seed=7")
    assert len(study_of(pytester).trials) == len(trials_of(pytester))
    assert first


def test_a_journal_that_cannot_be_written_is_one_line(pytester):
    write_project(pytester)
    (pytester.path / ".mipro").mkdir()
    (pytester.path / ".mipro/optuna").write_text("in the way", encoding="utf-8")
    result = optimize(pytester)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*.mipro*optuna*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_trial_that_cannot_be_added_ends_the_journal_alone(tmp_path, monkeypatch, interrupted):
    journal = OptunaJournal(tmp_path / ".mipro/optuna/x.log", "x")
    (tmp_path / ".mipro").mkdir()
    journal.open()
    trial = trial_of(1)

    def fails(*_: object) -> None:
        if not interrupted:
            raise OSError(28, "No space left on device")
        lost = FileNotFoundError(2, "the lock is gone")
        lost.__context__ = KeyboardInterrupt()
        raise lost

    monkeypatch.setattr(JournalFileBackend, "append_logs", fails)
    with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        journal(trial)
    journal(trial)
    journal.close()


def test_a_file_that_is_no_longer_its_own_ends_the_journal_alone(tmp_path):
    (tmp_path / ".mipro").mkdir()
    journal = OptunaJournal(tmp_path / ".mipro/optuna/x.log", "x")
    journal.open()
    journal(trial_of(1))
    journal.path.write_text("those of another run\n" * 99, encoding="utf-8")
    journal(trial_of(2))
    journal.close()


def test_of_two_runs_at_once_the_first_keeps_it(tmp_path):
    (tmp_path / ".mipro").mkdir()
    path = tmp_path / ".mipro/optuna/x.log"
    first, second = (OptunaJournal(path, "x") for _ in range(2))
    first.open()
    second.open()
    for number in range(3):
        for journal in (second, first):
            journal(trial_of(number))
    second.close()
    first.close()
    assert numbers_in(path) == [0, 1, 2]
    second.open()
    second(trial_of(9))
    second.close()
    assert numbers_in(path) == [9]


def numbers_in(path: Path) -> list[int]:
    study = optuna.load_study(study_name="x", storage=JournalStorage(JournalFileBackend(str(path))))
    return [trial.user_attrs["trial"] for trial in study.trials]


def trial_of(number: int) -> TrialFinished:
    return TrialFinished("x", number, 1, "minibatch", (), 0.5, 4, 0.5, 4)
