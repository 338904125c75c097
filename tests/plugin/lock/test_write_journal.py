"""Writing all files or none: under a journal, which a later run rolls forward."""

import json
import os
import threading
from pathlib import Path

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.lock import write_journal
from pytest_mipro.plugin.lock.lock_file import Lock, dump_lock
from pytest_mipro.plugin.lock.write_journal import (
    FileWrite,
    file_digest,
    flush,
    roll_forward,
)
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, parse_prompt

NEW = {
    "prompts/a.yaml": dump_prompt("a", Prompt("new")),
    "prompts/b.yaml": dump_prompt("b", Prompt("new")),
    "test_a.mipro.json": dump_lock(Lock("", 0, 1)),
}
OLD = {"prompts/a.yaml": dump_prompt("a", Prompt("old"))}


class PowerCutError(BaseException):
    """The process ends here."""


class Disk:
    """A project with old files, and `atomic_write` that fails at a step."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root / "repo"
        self.private = self.root / ".mipro"
        self.private.mkdir(parents=True)
        for name, text in OLD.items():
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.writes = [
            FileWrite(self.root / n, t, file_digest(self.root / n)) for n, t in NEW.items()
        ]
        self._patch = monkeypatch

    def fail_at(self, step: int, error: BaseException) -> None:
        real, count = write_journal.atomic_write, iter(range(100))

        def failing(path: Path, text: str, drafts: Path | None = None) -> None:
            if next(count) == step:
                raise error
            real(path, text, drafts)

        self._patch.setattr(write_journal, "atomic_write", failing)

    def repair(self) -> None:
        self._patch.undo()

    @property
    def files(self) -> dict[str, str]:
        found = {name: self.root / name for name in NEW}
        return {name: path.read_text() for name, path in found.items() if path.exists()}

    @property
    def left(self) -> list[str]:
        """The names of journals and drafts that stayed."""
        names = (path.name for path in self.root.rglob("*") if path.is_file())
        return [
            n
            for n in names
            if n.endswith((".tmp", ".unusable"))
            or (n.startswith("pending") and n != "pending-writes.lock")
        ]

    def journal(self, entries: object) -> None:
        text = entries if isinstance(entries, str) else json.dumps(entries)
        (self.private / "pending-writes.json").write_text(text)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    return Disk(tmp_path, monkeypatch)


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


def entry(path: object, text: object = NEW["prompts/a.yaml"], replaces: object = "") -> dict:
    return {"path": path, "text": text, "replaces": replaces}


@pytest.mark.parametrize(
    "entries",
    [
        "{",
        "[" * 100_000,
        "null",
        {"path": "x"},
        [{"path": "x"}],
        [entry(5)],
        [entry("prompts/c.yaml", text=5)],
        [entry("prompts/c.yaml", replaces=None)],
        [entry("prompts/c\0.yaml")],
    ],
    ids=range(9),
)
def test_what_is_no_journal_is_put_aside_with_one_line(disk, entries):
    disk.journal(entries)
    (line,) = roll_forward(disk.private, disk.root).put_aside
    assert "not a journal of pytest-mipro; kept as pending-writes.unusable" in line
    assert "\n" not in line
    assert disk.files == OLD
    assert roll_forward(disk.private, disk.root) == write_journal.RolledForward()


def test_a_text_that_cannot_be_written_is_not_journalled(disk):
    bad = FileWrite(disk.root / "prompts/b.yaml", "\ud800", "")
    with pytest.raises(ConfigurationError, match="half of a surrogate pair"):
        flush([disk.writes[0], bad], disk.private)
    assert disk.files == OLD
    assert disk.left == []


def test_a_journal_with_such_a_text_ends_no_later_run(disk):
    disk.journal([entry(str(disk.root / "prompts/b.yaml"), NEW["prompts/b.yaml"] + "# \ud800")])
    assert "not a journal" in roll_forward(disk.private, disk.root).put_aside[0]
    assert disk.files == OLD


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


# A prompt that is a Python expression too.
CODE = '{"schema_version": 1, "module": __import__("os").getcwd(), "instruction": "x"}\n'


def test_the_code_is_a_prompt_to_its_parser():
    assert parse_prompt(CODE, Path("a.yaml"))
    compile(CODE, "conftest.py", "eval")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("../evil.yaml", NEW["prompts/a.yaml"]),
        ("prompts/../../evil.yaml", NEW["prompts/a.yaml"]),
        ("link/evil.yaml", NEW["prompts/a.yaml"]),
        (".git/evil.yaml", NEW["prompts/a.yaml"]),
        ("conftest.py", "import os"),
        ("conftest.py", CODE),
        ("prompts/a.yaml.py", CODE),
        ("prompts/a.YAML", NEW["prompts/a.yaml"]),
        ("prompts/new.md", "A text prompt that no module names."),
        ("prompts/yaml", NEW["prompts/a.yaml"]),
        ("test_a.json", NEW["test_a.mipro.json"]),
        ("evil.yaml", "not: a prompt"),
        ("evil.mipro.json", NEW["prompts/a.yaml"]),
    ],
)
def test_a_crafted_journal_writes_nothing_at_all(disk, path, text):
    (disk.root / "link").symlink_to(disk.root.parent)
    (disk.root / ".git").mkdir()
    before = sorted(disk.root.parent.rglob("*"))
    good = entry(str(disk.root / "prompts/b.yaml"), NEW["prompts/b.yaml"])
    disk.journal([good, entry(str(disk.root / path), text)])
    assert "nothing written" in roll_forward(disk.private, disk.root).put_aside[0]
    new = {disk.private / f"pending-writes.{end}" for end in ("lock", "unusable")}
    assert set(disk.root.parent.rglob("*")) == {*before, *new}
