"""The lock of runs: who is alone, who waits, and what holds where there are no locks."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pytest_mipro.plugin.replies import run_lock
from pytest_mipro.plugin.replies.run_lock import RunLock

fcntl = pytest.importorskip("fcntl")


def begun(path: Path) -> tuple[RunLock, bool]:
    lock = RunLock(path)
    alone = lock.take()
    lock.share()
    return lock, alone


def test_the_first_run_is_alone_and_each_later_one_until_all_have_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first, alone = begun(path)
    assert alone
    second, alone = begun(path)
    assert not alone
    first.close()
    third, alone = begun(path)
    assert not alone  # the second one goes on
    for lock in (second, third):
        lock.close()
    last, alone = begun(path)
    assert alone
    last.close()


def test_who_begins_keeps_others_waiting_and_no_longer_than_they_have_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_PATIENCE", 0.05)
    first, second = RunLock(tmp_path / "a.lock"), RunLock(tmp_path / "a.lock")
    assert first.take()
    assert not second.take()
    first.close()
    second.close()


def test_where_there_are_no_locks_each_run_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    lock, alone = begun(tmp_path / "a.lock")
    lock.close()
    assert alone
    monkeypatch.setattr(run_lock, "fcntl", None)
    lock, alone = begun(tmp_path / "b.lock")
    lock.close()
    assert alone
