"""The reply cache: keys, single flight, the disk format, damage, and several processes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import pickle
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.errors import CacheError, EndpointError
from pytest_mipro.runtime.cache import json_disk
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.cache.store import Store
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient, Usage
from pytest_mipro.runtime.text import files
from pytest_mipro.runtime.text.files import ensure_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATABASE = "cache.db"


class SlowClient(ScriptedClient):
    """Waits for `gate` before it replies; raises `error` where there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(lambda request: f"reply to {request.messages[-1].content}")
        self.error = error
        self.gate = asyncio.Event()

    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return reply


@pytest.fixture
def inner() -> ScriptedClient:
    return ScriptedClient(lambda request: f"reply to {request.messages[-1].content}")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., CachedClient]]:
    clients: list[CachedClient] = []

    def make(inner: Any) -> CachedClient:
        clients.append(CachedClient(inner, tmp_path / "cache"))
        return clients[-1]

    yield make
    for client in clients:
        loop.run(client.aclose())


def request(text: str = "hi", **changes: Any) -> Request:
    return replace(Request("m", (Message("user", text),), {"temperature": 0}), **changes)


def ask(client: CachedClient, asked: Request | None = None) -> Reply:
    return loop.run(client.complete(asked or request()))


def rows(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / DATABASE, isolation_level=None)


# Replies and where they are kept


def test_second_call_is_served_from_disk(opened: Any, inner: ScriptedClient) -> None:
    first = ask(opened(inner))
    again = ask(opened(inner))
    assert len(inner.requests) == 1
    assert first.cached is False
    assert again == replace(first, cached=True)


def test_whole_reply_is_kept(opened: Any) -> None:
    text = "a\u0000\ud800 \udfff\ud800\udfff\u2028\x1b🙂" + "x" * 100_000
    whole = Reply(text, Usage(7, 9), 0.1 + 0.2, 1.25, finish_reason="length", model="served")

    class Whole(ScriptedClient):
        async def complete(self, request: Request) -> Reply:
            return whole

    first = ask(opened(Whole([])))
    assert ask(opened(ScriptedClient([]))) == replace(first, cached=True)
    assert first == replace(whole, text=text.replace("\ud800\udfff", "\U000103ff"))


def test_reply_is_on_disk_before_it_is_returned(opened: Any, inner: ScriptedClient) -> None:
    client = opened(inner)

    async def on_disk_when_returned() -> bool:
        await client.complete(request())
        with closing(rows(client._folder)) as database:
            return database.execute("SELECT count(*) FROM Cache").fetchone() == (1,)

    assert loop.run(on_disk_when_returned())


def test_lookup_asks_nobody_and_makes_no_folder(
    opened: Any, inner: ScriptedClient, tmp_path: Path
) -> None:
    client = opened(inner)
    assert client.lookup(request()) is None
    assert not (tmp_path / "cache").exists()
    reply = ask(client)
    assert client.lookup(request()) == replace(reply, cached=True)
    assert client.lookup(request("other")) is None
    assert len(inner.requests) == 1


def test_lookup_works_in_many_threads(opened: Any, inner: ScriptedClient) -> None:
    client = opened(inner)
    for number in range(20):
        ask(client, request(str(number)))
    fresh = opened(inner)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: fresh.lookup(request(str(n % 20))), range(400)))
    assert [reply and reply.text for reply in found] == [f"reply to {n % 20}" for n in range(400)]


def test_endpoint_and_sample_are_part_of_the_key(opened: Any) -> None:
    class Elsewhere(ScriptedClient):
        def endpoint(self, model: str) -> str:
            return "abc"

    here, there = ScriptedClient(["1", "2"]), Elsewhere(["3"])
    assert ask(opened(here)).text == "1"
    assert ask(opened(here), request(sample=1)).text == "2"
    assert ask(opened(there)).text == "3"


def test_failures_are_not_kept(opened: Any, inner: ScriptedClient) -> None:
    with pytest.raises(EndpointError):
        ask(opened(ScriptedClient([])))
    assert ask(opened(inner)).cached is False


# Single flight


def test_identical_requests_share_one_call(opened: Any) -> None:
    slow = SlowClient()
    client = opened(slow)

    async def together() -> list[Reply]:
        tasks = [asyncio.create_task(client.complete(request())) for _ in range(10)]
        tasks.append(asyncio.create_task(client.complete(request("other"))))
        await asyncio.sleep(0.1)
        slow.gate.set()
        return await asyncio.gather(*tasks)

    replies = loop.run(together())
    assert len(slow.requests) == 2
    assert {reply.text for reply in replies[:10]} == {"reply to hi"}
    assert [reply.cached for reply in replies] == [False] + [True] * 9 + [False]


def test_failure_reaches_all_who_wait_and_is_not_remembered(opened: Any) -> None:
    slow = SlowClient(EndpointError("down"))
    client = opened(slow)

    async def together() -> list[Any]:
        tasks = [asyncio.create_task(client.complete(request())) for _ in range(5)]
        await asyncio.sleep(0.05)
        slow.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [str(error) for error in loop.run(together())] == ["down"] * 5
    assert len(slow.requests) == 1
    slow.error = None
    assert ask(client).text == "reply to hi"


def test_who_stops_waiting_does_not_stop_the_others(opened: Any) -> None:
    slow = SlowClient()
    client = opened(slow)

    async def together() -> tuple[Any, Reply]:
        first = asyncio.create_task(client.complete(request()))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(client.complete(request()))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0)
        slow.gate.set()
        return await asyncio.gather(first, return_exceptions=True), await second

    (cancelled,), reply = loop.run(together())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert (reply.text, reply.cached) == ("reply to hi", False)
    assert len(slow.requests) == 1


def test_a_call_that_went_away_with_its_caller_is_made_by_the_next(opened: Any) -> None:
    class Leaving(SlowClient):
        async def complete(self, request: Request) -> Reply:
            reply = await super().complete(request)
            if len(self.requests) < 3:
                raise asyncio.CancelledError
            return reply

    slow = Leaving()
    client = opened(slow)

    async def together() -> list[Any]:
        tasks = [asyncio.create_task(client.complete(request())) for _ in range(4)]
        await asyncio.sleep(0.05)
        slow.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    *gone, third, fourth = loop.run(together())
    assert [type(each) for each in gone] == [asyncio.CancelledError] * 2
    assert (third.cached, fourth.cached, len(slow.requests)) == (False, True, 3)


def test_close_ends_calls_under_way(opened: Any) -> None:
    client = opened(SlowClient())

    async def closed() -> list[Any]:
        task = asyncio.create_task(client.complete(request()))
        await asyncio.sleep(0.05)
        await client.aclose()
        await client.aclose()
        return await asyncio.gather(task, return_exceptions=True)

    assert isinstance(loop.run(closed())[0], asyncio.CancelledError)


# The disk format


def test_rows_are_json_text_inside_the_database(opened: Any, tmp_path: Path) -> None:
    ask(opened(ScriptedClient(["x" * 1_000_000])))
    with closing(rows(tmp_path / "cache")) as database:
        [(key, raw, mode, filename, value)] = database.execute(
            "SELECT key, raw, mode, filename, value FROM Cache"
        ).fetchall()
        assert database.execute(
            "SELECT value FROM Settings WHERE key = 'eviction_policy'"
        ).fetchone() == ("none",)
    assert (raw, mode, filename) == (1, 1, None)
    assert key == request().digest()
    assert set(json.loads(value)) == {"reply", "check"}  # a request may hold what is secret
    assert not list((tmp_path / "cache").rglob("*.val"))


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    "kind",
    ["pickle", "pickle file", "text file", "number", "not json", "other mode", "file name"],
)
def test_crafted_rows_are_not_read(
    opened: Any, inner: ScriptedClient, tmp_path: Path, kind: str
) -> None:
    ask(opened(inner))
    trap = tmp_path / "sprung"
    victim = tmp_path / "victim"
    victim.write_bytes(pickle.dumps(Trap(str(trap))))
    with closing(rows(tmp_path / "cache")) as database:
        [(good,)] = database.execute("SELECT value FROM Cache").fetchall()
    crafted = {
        "other mode": (3, None, good),
        "file name": (1, "../victim", good),
        "pickle": (4, None, pickle.dumps(Trap(str(trap)))),
        "pickle file": (4, "../victim", None),
        "text file": (3, "../victim", None),
        "number": (1, None, 5),
        "not json": (1, None, "{"),
    }[kind]
    with closing(rows(tmp_path / "cache")) as database:
        database.execute("UPDATE Cache SET mode = ?, filename = ?, value = ?", crafted)
    client = opened(inner)
    assert client.lookup(request()) is None
    assert ask(client).cached is False
    assert ask(client).cached is True
    assert victim.exists()
    assert not trap.exists()


def test_keys_are_text_alone(tmp_path: Path) -> None:
    disk = json_disk.JSONTextDisk(str(tmp_path))
    for key in (b"x", 1, None, ("a",)):
        with pytest.raises(TypeError):
            disk.put(key)
    with pytest.raises(ValueError, match="plain text"):
        disk.get(pickle.dumps("x"), 0)


@pytest.mark.parametrize("change", ["reply", "check", "row"])
def test_row_that_does_not_fit_is_asked_anew(
    opened: Any, inner: ScriptedClient, tmp_path: Path, change: str
) -> None:
    ask(opened(inner))
    with closing(rows(tmp_path / "cache")) as database:
        [(text,)] = database.execute("SELECT value FROM Cache").fetchall()
        row = json.loads(text)
        if change == "reply":
            row["reply"]["text"] = "reply to hj"
        elif change == "check":
            row["check"] = "0" * 64
        else:
            row = [row]
        database.execute("UPDATE Cache SET value = ?", (json.dumps(row),))
    assert ask(opened(inner)).cached is False
    assert ask(opened(inner)).text == "reply to hi"
    assert len(inner.requests) == 2


@pytest.mark.parametrize(("text", "cached"), [("it is [hidden]", False), ("plain", True)])
def test_a_reply_that_an_earlier_release_changed_is_asked_anew(
    opened: Any, tmp_path: Path, text: str, cached: bool
) -> None:
    ask(opened(ScriptedClient([text])))
    assert ask(opened(ScriptedClient(["anew"]))).text == text  # a model may say so
    with closing(rows(tmp_path / "cache")) as database:
        [(value,)] = database.execute("SELECT value FROM Cache").fetchall()
        row = {"request": request().canonical_json(), **json.loads(value)}
        database.execute("UPDATE Cache SET value = ?", (json.dumps(row),))
    assert ask(opened(ScriptedClient(["anew"]))).text == (text if cached else "anew")


# Damage, locks and permissions


def fill(opened: Any, inner: ScriptedClient) -> None:
    client = opened(inner)
    for number in range(50):
        ask(client, request(f"{number} " + "x" * 500))
    loop.run(client.aclose())
    inner.requests.clear()


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

    monkeypatch.setattr(files, "_lock_file", refuse)


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


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
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


# Several processes

WORKER = """
import sys
from pathlib import Path
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client.contract import Message, Request, ScriptedClient
scripted = ScriptedClient(lambda r: "reply to " + r.messages[0].content)
client = CachedClient(scripted, Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    request = Request("m", (Message("user", str(number)),), {"temperature": 0})
    assert loop.run(client.complete(request)).text == f"reply to {number}"
    if len(sys.argv) > 3:
        print(number, flush=True)
loop.run(client.aclose())
"""


def worker(folder: Path, count: int, *tell: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", WORKER, str(folder), str(count), *tell]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_share_a_folder(
    opened: Any, inner: ScriptedClient, tmp_path: Path, damaged: bool
) -> None:
    folder = tmp_path / "cache"
    if damaged:
        folder.mkdir()
        (folder / DATABASE).write_bytes(b"garbage" * 1000)
    told = ""
    for process in [worker(folder, 40) for _ in range(4)]:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        told += errors
    assert told.count("\n") == told.count("was damaged; it is kept as") == damaged
    client = opened(inner)
    for number in range(40):
        assert client.lookup(request(str(number))) is not None
    assert len(list(folder.glob("cache.db.corrupt-?"))) == damaged


def test_kill_loses_no_returned_reply(opened: Any, inner: ScriptedClient, tmp_path: Path) -> None:
    process = worker(tmp_path / "cache", 1_000_000, "tell")
    assert process.stdout is not None
    returned = -1
    while returned < 100:
        returned = int(process.stdout.readline())
    process.kill()
    returned = max([returned, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.communicate()
    client = opened(inner)
    for number in range(returned + 1):
        assert client.lookup(request(str(number))) is not None


# Keys

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=4)
messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text())
requests = st.builds(
    Request,
    model=st.text(max_size=10),
    messages=st.lists(messages, max_size=3).map(tuple),
    parameters=objects,
    response_schema=st.none() | objects,
    sample=st.integers(0, 5),
)


@given(requests)
def test_order_of_dicts_does_not_change_the_key(asked: Request) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    other = replace(
        asked,
        parameters=turned(asked.parameters),
        response_schema=turned(asked.response_schema),
    )
    assert asked.digest("e") == other.digest("e")


@given(requests, requests)
def test_any_change_of_any_field_changes_the_key(one: Request, other: Request) -> None:
    for name in ("model", "messages", "parameters", "response_schema", "sample"):
        changed = replace(one, **{name: getattr(other, name)})
        # As JSON, where 1, 1.0 and true are three values, while Python has them equal.
        same = json.dumps(_plain(getattr(one, name)), sort_keys=True) == json.dumps(
            _plain(getattr(changed, name)), sort_keys=True
        )
        assert (one.digest() == changed.digest()) == same
    assert one.digest("a") != one.digest("b")


@given(requests, st.integers(0), st.text(min_size=1))
def test_small_changes_of_messages_change_the_key(asked: Request, place: int, more: str) -> None:
    grown = replace(asked, messages=(*asked.messages, Message("user", more)))
    assert grown.digest() != asked.digest()
    at = place % len(grown.messages)
    edited = list(grown.messages)
    edited[at] = replace(edited[at], content=edited[at].content + more)
    assert replace(grown, messages=tuple(edited)).digest() != grown.digest()
    edited[at] = replace(
        grown.messages[at], role="system" if grown.messages[at].role == "user" else "user"
    )
    assert replace(grown, messages=tuple(edited)).digest() != grown.digest()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [[message.role, message.content] for message in value]
    return value
