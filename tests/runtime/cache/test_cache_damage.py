"""The reply cache on disk: damage and locks."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cached_calls import DATABASE, ask, fill, request, rows

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache import json_disk
from pytest_mipro.runtime.cache.store import Store
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import ScriptedClient

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "middle", "head"])
def test_damaged_database_is_rebuilt_and_never_replies_wrongly(
    opened: Any, inner: ScriptedClient, tmp_path: Path, damage: str
) -> None:
    fill(opened, inner)
    file = tmp_path / "cache" / DATABASE
    data = file.read_bytes()
    middle = len(data) // 2
    file.write_bytes(
        {
            "garbage": b"not a database " * 1000,
            "truncated": data[:middle],
            "empty": b"",
            "middle": data[:middle] + bytes(len(data) // 4) + data[middle + len(data) // 4 :],
            "head": b"\xff" * 200 + data[200:],
        }[damage]
    )
    client = opened(inner)
    for _ in range(2):
        for number in range(50):
            text = f"{number} " + "x" * 500
            assert ask(client, request(text)).text == f"reply to {text}"
    assert inner.requests
    inner.requests.clear()
    for number in range(50):
        assert ask(client, request(f"{number} " + "x" * 500)).cached
    assert not inner.requests
    aside = {path.name for path in file.parent.glob("cache.db.corrupt-?")}
    assert aside == (set() if damage == "empty" else {"cache.db.corrupt-1"})


def test_damage_found_in_use_is_repaired(
    opened: Any, inner: ScriptedClient, tmp_path: Path
) -> None:
    fill(opened, inner)
    client, other = opened(inner), opened(inner)
    assert client.lookup(request("0 " + "x" * 500)) is not None
    assert other.lookup(request("0 " + "x" * 500)) is not None
    file = tmp_path / "cache" / DATABASE
    with file.open("r+b") as database:
        database.write(b"\xff" * file.stat().st_size)
    for number in range(50, 60):
        asked = request(f"{number} " + "x" * 500)
        assert ask(client, asked).text == ask(other, asked).text
    assert len(list(file.parent.glob("cache.db.corrupt-?"))) == 1
    assert opened(inner).lookup(request("59 " + "x" * 500)) is not None


def test_only_the_damaged_file_is_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    damaged = store._inode()
    for _ in range(2):  # as two processes would that found the same damage
        store._set_aside(damaged)
        Store(tmp_path).close()
    assert len(list(tmp_path.glob("cache.db.corrupt-?"))) == 1
    store.set("key", "value")
    store.close()
    later = Store(tmp_path)
    assert later.get("key") == "value"
    later.close()


def test_deleted_folder_is_made_again(opened: Any, inner: ScriptedClient, tmp_path: Path) -> None:
    client = opened(inner)
    ask(client)
    shutil.rmtree(tmp_path / "cache")
    ask(client, request("new"))
    assert opened(inner).lookup(request("new")) is not None
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) & 0o077 == 0 or os.name == "nt"


def test_foreign_settings_do_not_break_the_opening(
    opened: Any, inner: ScriptedClient, tmp_path: Path
) -> None:
    fill(opened, inner)
    with closing(rows(tmp_path / "cache")) as database:
        database.execute("INSERT INTO Settings VALUES ('disk_surprise', 1)")
    assert ask(opened(inner)).text == "reply to hi"
    assert (tmp_path / "cache" / "cache.db.corrupt-1").exists()


@pytest.mark.parametrize("when", ["opening", "writing"])
def test_lock_of_another_process_is_not_waited_for_long(
    opened: Any,
    inner: ScriptedClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    monkeypatch.setattr(json_disk, "BUSY_SECONDS", 0.3)
    fill(opened, inner)
    client = opened(inner)
    if when == "writing":
        ask(client, request("0 " + "x" * 500))
    with closing(rows(tmp_path / "cache")) as database:
        database.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        with pytest.raises(CacheError, match="locked"):
            ask(client, request("new"))
        assert time.monotonic() - started < 3
        assert ask(client, request("1 " + "x" * 500)).cached, "what is there still serves"
        started = time.monotonic()
        with pytest.raises(CacheError, match="locked"):  # it is not waited for once more
            ask(client, request("other"))
        assert time.monotonic() - started < 0.2
        database.execute("ROLLBACK")
    assert not inner.requests
    assert ask(opened(inner), request("new")).text == "reply to new"


def test_lock_does_not_stop_the_loop(opened: Any, inner: ScriptedClient, tmp_path: Path) -> None:
    fill(opened, inner)
    client = opened(inner)
    ask(client, request("0 " + "x" * 500))

    async def meanwhile() -> float:
        writing = asyncio.create_task(client.complete(request("new")))
        longest = 0.0
        while not writing.done():
            started = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)
        await writing
        return longest

    database = sqlite3.connect(
        tmp_path / "cache" / DATABASE, isolation_level=None, check_same_thread=False
    )
    with closing(database):
        database.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.6, database.execute, ("ROLLBACK",))
        timer.start()
        assert loop.run(meanwhile()) < 0.4
        timer.join()


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_costs_one_row(
    opened: Any, inner: ScriptedClient, tmp_path: Path, bit: int
) -> None:
    fill(opened, inner)
    file = tmp_path / "cache" / DATABASE
    data = bytearray(file.read_bytes())
    place = data.index(b"reply to 7 xxx") + 20
    data[place] ^= 1 << bit
    file.write_bytes(data)
    client = opened(inner)
    found = [client.lookup(request(f"{number} " + "x" * 500)) for number in range(50)]
    assert [number for number, reply in enumerate(found) if reply is None] == [7]
    assert ask(client, request("7 " + "x" * 500)).text == "reply to 7 " + "x" * 500
