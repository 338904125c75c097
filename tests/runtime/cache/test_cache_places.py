"""The folder of the reply cache: unusable, full or read-only, and private."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from typing import TYPE_CHECKING, Any

import pytest
from cached_calls import DATABASE, ask, fill, request

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache import json_disk
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import ScriptedClient
from pytest_mipro.runtime.text import files
from pytest_mipro.runtime.text.files import ensure_private_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_unusable_places_are_one_clear_line(inner: ScriptedClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "cache"
    (folder / DATABASE).mkdir(parents=True)
    for place in (tmp_path / "file", tmp_path / "file" / "cache", folder):
        client = CachedClient(inner, place)
        with pytest.raises(CacheError) as caught:
            ask(client)
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)
        loop.run(client.aclose())
    assert not inner.requests


def _no_lock_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> int:
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(files, "open_lock", refuse)


def _no_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = json_disk.BoundedCache._connect

    def read_only(self: Any, query: str = "?mode=ro") -> sqlite3.Connection:
        return connect(self, query)

    monkeypatch.setattr(json_disk.BoundedCache, "_connect", read_only)


def _no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = json_disk.BoundedCache._connect

    def full(self: Any, query: str = "") -> sqlite3.Connection:
        connection = connect(self, query)
        connection.execute("PRAGMA max_page_count = 1")  # never below what is used
        return connection

    monkeypatch.setattr(json_disk.BoundedCache, "_connect", full)


@pytest.mark.parametrize(
    ("hindered", "reason"),
    [(_no_lock_file, "Read-only"), (_no_writing, "writable"), (_no_space, "the disk is full")],
)
def test_cached_replies_serve_where_nothing_can_be_written(
    opened: Any, inner: ScriptedClient, monkeypatch: pytest.MonkeyPatch, hindered: Any, reason: str
) -> None:
    fill(opened, inner)
    hindered(monkeypatch)
    client = opened(inner)
    for number in range(50):
        assert ask(client, request(f"{number} " + "x" * 500)).cached
    with pytest.raises(CacheError, match=reason):
        ask(client, request("new " + "x" * 5000))
    assert ask(client, request("0 " + "x" * 500)).cached
    with pytest.raises(CacheError, match=reason):
        ask(client, request("another"))
    assert len(inner.requests) <= 1, "once a reply was not kept, no other is paid for"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere"
)
def test_cached_replies_serve_from_a_read_only_folder(opened: Any, inner: ScriptedClient) -> None:
    fill(opened, inner)
    client = opened(inner)
    client._folder.chmod(0o500)
    try:
        assert ask(client, request("0 " + "x" * 500)).cached
        with pytest.raises(CacheError, match="can't be"):
            ask(client)
    finally:
        client._folder.chmod(0o700)


def test_a_folder_that_can_not_be_looked_into_is_named(
    opened: Any, inner: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, real = opened(inner), os.stat

    def refusing(path: Any, **named: Any) -> os.stat_result:
        if str(path).startswith(str(client._folder)):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **named)

    monkeypatch.setattr(os, "stat", refusing)
    assert client.lookup(request()) is None
    with pytest.raises(CacheError, match="the folder can't be made private: Permission denied"):
        ask(client)


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_what_a_full_disk_left_is_ignored_by_git_again(tmp_path: Path) -> None:
    private = tmp_path / "private"
    ensure_private_folder(private)
    (private / ".gitignore").write_text("")
    ensure_private_folder(private)
    assert (private / ".gitignore").read_text() == "*\n"
    (private / ".gitignore").unlink()
    (private / ".gitignore").symlink_to(tmp_path / "elsewhere")
    ensure_private_folder(private)
    assert not (tmp_path / "elsewhere").exists()


def test_folder_is_private_and_ignored_by_git(
    opened: Any, inner: ScriptedClient, tmp_path: Path
) -> None:
    private = tmp_path / "a" / "b"
    ensure_private_folder(private)
    ensure_private_folder(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert (private / ".gitignore").read_text() == "*\n"
    assert (private.parent / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / ".gitignore").exists()
    private.chmod(0o755)
    (private / ".gitignore").write_text("mine\n")
    ensure_private_folder(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert (private / ".gitignore").read_text() == "mine\n"
    ask(opened(inner))
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
