"""Writing all files or none: under a journal, which a later run rolls forward."""

import os
import threading
from pathlib import Path

import pytest
from journal_disk import NEW, OLD

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.lock import write_journal
from pytest_mipro.plugin.lock.write_journal import (
    FileWrite,
    flush,
    roll_forward,
)


class PowerCutError(BaseException):
    """The process ends here."""


def test_all_files_are_written_and_no_journal_stays(disk):
    flush(disk.writes, disk.private)
    assert disk.files == NEW
    assert disk.left == []


@pytest.mark.parametrize("step", range(4))
def test_a_crash_at_any_step_ends_in_all_old_or_all_new(disk, step):
    disk.fail_at(step, PowerCutError())
    with pytest.raises(PowerCutError):
        flush(disk.writes, disk.private)
    disk.repair()
    done = roll_forward(disk.private, disk.root)
    assert disk.files == (OLD if step == 0 else NEW)
    assert len(done.written) == (0 if step == 0 else 4 - step)
    assert done.edited == ()
    assert disk.left == []


@pytest.mark.parametrize("step", range(4))
def test_ctrl_c_is_one_line_and_the_next_run_writes_the_rest(disk, step):
    disk.fail_at(step, KeyboardInterrupt())
    told = "while files were written; the next pytest run" if step else "before files were written"
    with pytest.raises(ConfigurationError, match=f"Ctrl-C came {told}"):
        flush(disk.writes, disk.private)
    disk.repair()
    roll_forward(disk.private, disk.root)
    assert disk.files == (OLD if step == 0 else NEW)
    assert disk.left == []


def test_a_crash_before_the_journal_goes_writes_nothing_again(disk, monkeypatch):
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PowerCutError()))
    with pytest.raises(PowerCutError):
        flush(disk.writes, disk.private)
    monkeypatch.undo()
    assert roll_forward(disk.private, disk.root).written == ()
    assert disk.files == NEW


def test_rolling_forward_may_be_interrupted_too(disk):
    disk.fail_at(1, PowerCutError())
    with pytest.raises(PowerCutError):
        flush(disk.writes, disk.private)
    disk.repair()
    disk.fail_at(1, PowerCutError())
    with pytest.raises(PowerCutError):
        roll_forward(disk.private, disk.root)
    disk.repair()
    roll_forward(disk.private, disk.root)
    assert disk.files == NEW


def test_a_file_edited_since_is_left_alone(disk):
    disk.fail_at(1, PowerCutError())
    with pytest.raises(PowerCutError):
        flush(disk.writes, disk.private)
    disk.repair()
    edited = disk.root / "prompts/a.yaml"
    edited.write_text("by hand")
    done = roll_forward(disk.private, disk.root)
    assert disk.files == NEW | {"prompts/a.yaml": "by hand"}
    assert done.edited == (edited,)
    assert roll_forward(disk.private, disk.root).edited == ()


@pytest.mark.parametrize("name", ["prompts/a.yaml", "test_a.mipro.json"])
def test_a_file_changed_since_it_was_read_stops_all(disk, name):
    (disk.root / name).write_text("by hand")
    with pytest.raises(ConfigurationError, match=f"{name} changed while the study ran"):
        flush(disk.writes, disk.private)
    assert disk.files == OLD | {name: "by hand"}
    assert disk.left == []


def test_a_file_removed_since_it_was_read_stops_all(disk):
    (disk.root / "prompts/a.yaml").unlink()
    with pytest.raises(ConfigurationError, match="changed while the study ran"):
        flush(disk.writes, disk.private)
    assert disk.files == {}


def test_a_full_disk_at_the_journal_writes_nothing(disk):
    disk.fail_at(0, OSError(28, "No space left on device"))
    with pytest.raises(ConfigurationError, match=r"No space left on device.*so no other file is"):
        flush(disk.writes, disk.private)
    assert disk.files == OLD


def test_a_full_disk_at_a_file_is_said_and_finished_by_the_next_run(disk):
    disk.fail_at(2, OSError(28, "No space left on device"))
    with pytest.raises(
        ConfigurationError, match=r"b\.yaml can't be written \(No space .* the rest"
    ):
        flush(disk.writes, disk.private)
    disk.repair()
    disk.fail_at(0, OSError(28, "No space left on device"))
    with pytest.raises(ConfigurationError, match="can't be written"):
        roll_forward(disk.private, disk.root)
    disk.repair()
    roll_forward(disk.private, disk.root)
    assert disk.files == NEW


def test_without_a_journal_nothing_happens(disk):
    assert roll_forward(disk.private, disk.root) == write_journal.RolledForward()
    assert roll_forward(disk.root / "none", disk.root) == write_journal.RolledForward()


def test_a_text_that_cannot_be_written_is_not_journalled(disk):
    bad = FileWrite(disk.root / "prompts/b.yaml", "\ud800", "")
    with pytest.raises(ConfigurationError, match="half of a surrogate pair"):
        flush([disk.writes[0], bad], disk.private)
    assert disk.files == OLD
    assert disk.left == []


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_killed_process_leaves_no_draft_in_the_repo(disk, monkeypatch, step):
    replaced, count = Path.replace, iter(range(100))

    def killed(path: Path, target: Path) -> Path:
        if next(count) == step:
            os._exit(9)  # as a power cut: no clean-up runs
        return replaced(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    child = os.fork()
    if not child:
        flush(disk.writes, disk.private)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.undo()
    drafts = [path for path in disk.root.rglob("*.tmp") if path.parent != disk.private]
    assert drafts == []
    roll_forward(disk.private, disk.root)
    assert disk.files == NEW


def test_a_second_run_waits_for_the_one_that_writes(disk, monkeypatch):
    """It starts while the first has written its journal, and finds nothing to finish."""
    second: list[threading.Thread] = []
    found: list[write_journal.RolledForward] = []
    real = write_journal.atomic_write

    def slow(path: Path, text: str, drafts: Path | None = None) -> None:
        real(path, text, drafts)
        if not second:
            finish = lambda: found.append(roll_forward(disk.private, disk.root))  # noqa: E731
            second.append(threading.Thread(target=finish))
            second[0].start()
            second[0].join(0.3)
            assert not found, "it does not touch a journal in use"

    monkeypatch.setattr(write_journal, "atomic_write", slow)
    flush(disk.writes, disk.private)
    second[0].join()
    assert found == [write_journal.RolledForward()]
    assert disk.files == NEW


def test_two_interrupted_runs_are_both_finished(disk):
    first, second = disk.writes[:1], disk.writes[1:]
    for writes in (first, second):
        disk.fail_at(1, PowerCutError())
        with pytest.raises(PowerCutError):
            flush(writes, disk.private)
        disk.repair()
    roll_forward(disk.private, disk.root)
    assert disk.files == NEW
