"""A project whose files are written under a journal, on a disk that fails at a step."""

import json
from pathlib import Path

import pytest

from pytest_mipro.plugin.lock import write_journal
from pytest_mipro.plugin.lock.lock_file import Lock, dump_lock
from pytest_mipro.plugin.lock.write_journal import FileWrite, file_digest
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt

NEW = {
    "prompts/a.yaml": dump_prompt("a", Prompt("new")),
    "prompts/b.yaml": dump_prompt("b", Prompt("new")),
    "test_a.mipro.json": dump_lock(Lock("", 0, 1)),
}
OLD = {"prompts/a.yaml": dump_prompt("a", Prompt("old"))}


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
