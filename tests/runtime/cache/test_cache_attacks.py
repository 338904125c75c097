"""A cache that somebody else wrote: nothing of it is obeyed, and no file of others is touched."""

from __future__ import annotations

import json
import logging
import os
import pickle
import platform
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.cache import claims as cache_claims
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.cache.rows import _check
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request, ScriptedClient

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "cache.db"
REQUEST = Request("m", (Message("user", "hi"),), {"temperature": 0})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache that holds the reply "right" to REQUEST."""
    assert ask(tmp_path / "cache", "right")[0] == "right"
    return tmp_path / "cache"


def ask(folder: Path | None, text: str = "new") -> tuple[str, int]:
    """Ask REQUEST of a client that says `text`; return the reply and how often it was asked."""
    inner = ScriptedClient(lambda _: text)
    client = CachedClient(inner, folder)
    try:
        reply = loop.run(client.complete(REQUEST))
        assert loop.run(client.complete(REQUEST)).text == reply.text
    finally:
        loop.run(client.aclose())
    return reply.text, len(inner.requests)


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_the_reply_is_kept_where_nobody_touched_it(folder: Path) -> None:
    assert ask(folder) == ("right", 0)


COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
CRAFTED = {
    "attribute": ["INSERT INTO Settings VALUES ('get', 'x')"],
    "private attribute": ["INSERT INTO Settings VALUES ('_disk', 'x')"],
    "pragma": ["INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)"],
    "another pragma": ["INSERT INTO Settings VALUES ('sqlite_query_only = 1; --', 1)"],
    "disk argument": ["INSERT INTO Settings VALUES ('disk_surprise', 1)"],
    "number for a key": ["INSERT INTO Settings VALUES (5, 1)"],
    "trigger": ["CREATE TRIGGER gone AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END"],
    "endless view": ["DROP TABLE Cache", f"CREATE VIEW Cache AS {COUNT}"],
    "endless settings": ["DROP TABLE Settings", f"CREATE VIEW Settings AS {COUNT}"],
    "another table": ["DROP TABLE Cache", "CREATE TABLE Cache (key, value)"],
    "generated column": ["ALTER TABLE Cache ADD COLUMN more AS (hex(value))"],
    "index on a function": ["CREATE INDEX more ON Cache (abs(rowid))"],
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_a_crafted_database_is_put_aside(
    folder: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(folder, *CRAFTED[kind])
    with caplog.at_level(logging.WARNING, "pytest_mipro"):
        assert ask(folder) == ("new", 1)
    assert ask(folder, "later") == ("new", 0)
    assert "was damaged; it is kept as cache.db.corrupt-1" in caplog.text
    assert (folder / f"{DATABASE}.corrupt-1").exists()


@pytest.mark.parametrize(
    "setting",
    ["eviction_policy = 'x'", "sqlite_journal_mode = 'off'", "cull_limit = 9", "size_limit = 1"],
)
def test_settings_of_the_database_do_not_count(folder: Path, setting: str) -> None:
    key, _, value = setting.partition(" = ")
    execute(folder, f"UPDATE Settings SET value = {value} WHERE key = '{key}'")
    assert ask(folder) == ("right", 0)
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


FORGED: list[dict[str, Any]] = [
    {"text": 5},
    {"text": None},
    {"text": ["right"]},
    {"cost": "free"},
    {"cost": float("nan")},
    {"cost": -1.0},
    {"cost": True},
    {"latency": "long"},
    {"asked": "yesterday"},
    {"asked": float("inf")},
    {"usage": {"prompt_tokens": "7", "completion_tokens": 1}},
    {"usage": {"prompt_tokens": -7, "completion_tokens": 1}},
    {"usage": {"prompt_tokens": 1}},
    {"usage": [1, 2]},
    {"finish_reason": 1},
    {"model": {}},
    {"surprise": 1},
]


@pytest.mark.parametrize("change", FORGED, ids=str)
def test_forged_types_are_asked_anew(folder: Path, change: dict[str, Any]) -> None:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        [(text,)] = database.execute("SELECT value FROM Cache").fetchall()
        row = json.loads(text)
        row["reply"] |= change
        row["check"] = _check(REQUEST.digest(), REQUEST.canonical_json(), row["reply"])
        database.execute("UPDATE Cache SET value = ?", (json.dumps(row),))
    assert ask(folder) == ("new", 1)


@pytest.mark.parametrize("column", ["store_time", "expire_time", "access_time", "tag", "size"])
def test_pickles_in_other_columns_are_not_read(folder: Path, column: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        # a later column of another type changes nothing, or the row is asked anew
        database.execute(f"UPDATE Cache SET {column} = ?", (pickle.dumps(print),))
    assert ask(folder)[0] in {"right", "new"}


def test_a_reply_of_another_endpoint_does_not_count(folder: Path) -> None:
    class Elsewhere(ScriptedClient):
        def endpoint(self, model: str) -> str:
            return "elsewhere"

    execute(folder, f"UPDATE Cache SET key = '{REQUEST.digest('elsewhere')}'")
    client = CachedClient(Elsewhere(["new"]), folder)
    assert client.lookup(REQUEST) is None
    assert loop.run(client.complete(REQUEST)).text == "new"
    loop.run(client.aclose())


def test_a_deep_value_is_asked_anew(folder: Path) -> None:
    deep = "[" * 200_000
    execute(folder, f"UPDATE Cache SET value = '{deep}'")
    assert ask(folder) == ("new", 1)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("name", ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db.opening"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_links_and_pipes_are_neither_followed_nor_waited_for(
    folder: Path, tmp_path: Path, name: str, kind: str
) -> None:
    (folder / name).unlink(missing_ok=True)
    victim = tmp_path / "victim"
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(victim)
    if kind == "link":
        with closing(sqlite3.connect(victim)) as database:
            database.execute("CREATE TABLE mine (key)")
    before = victim.read_bytes() if victim.exists() else None
    started = time.monotonic()
    with pytest.raises(CacheError, match=r"delete it|a file$"):
        ask(folder)
    assert time.monotonic() - started < 2
    assert (victim.read_bytes() if victim.exists() else None) == before


def test_the_path_is_no_shell_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    folder = tmp_path / "$ELSEWHERE" / "cache"
    assert ask(folder) == ("new", 1)
    assert ask(folder, "later") == ("new", 0)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("until", [None, 1e12, "'later'"])
def test_a_claim_without_end_is_not_waited_for(folder: Path, until: object) -> None:
    here = json.dumps({"host": "elsewhere", "pid": 1, "token": "x"})
    execute(
        folder,
        f"UPDATE Cache SET key = 'claim ' || key, value = '{here}', "
        f"expire_time = {'NULL' if until is None else until}",
    )
    started = time.monotonic()
    assert ask(folder) == ("new", 1)
    assert time.monotonic() - started < cache_claims.LEASE_SECONDS / 2


def test_a_claim_within_its_lease_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache_claims, "_SILENT_SECONDS", 0.1)
    mine = json.dumps({"host": platform.node(), "pid": os.getppid(), "token": "x"})
    execute(
        folder,
        f"UPDATE Cache SET key = 'claim ' || key, value = '{mine}', "
        f"expire_time = {time.time() + 1.0}",
    )
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, "pytest_mipro"):
        assert ask(folder) == ("new", 1)
    assert time.monotonic() - started > 0.5
    assert f"waiting for process {os.getppid()}" in caplog.text


FULL = """
import resource, sys
from pathlib import Path
from pytest_mipro.errors import CacheError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client.contract import Message, Request, ScriptedClient

resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
scripted = ScriptedClient(lambda request: "x" * 20_000)
client = CachedClient(scripted, Path(sys.argv[1]))
kept = []
for number in range(100):
    request = Request("m", (Message("user", str(number)),), {"temperature": 0})
    try:
        loop.run(client.complete(request))
        kept.append(number)
    except CacheError as error:
        print(f"{number} {error}")
print(len(kept), len(scripted.requests))
loop.run(client.aclose())
"""


@pytest.mark.skipif(os.name == "nt", reason="a limit of POSIX")
def test_on_a_full_disk_nothing_more_is_paid(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *refused, last = process.stdout.splitlines()
    kept, paid = map(int, last.split())
    assert process.stderr == ""
    assert kept > 0
    assert paid <= kept + 1
    assert len(refused) == 100 - kept
    assert all(str(folder) in line for line in refused)
    for number in range(kept):
        request = Request("m", (Message("user", str(number)),), {"temperature": 0})
        client = CachedClient(ScriptedClient([]), folder)
        assert client.lookup(request) is not None
        loop.run(client.aclose())


def test_without_a_folder_a_request_is_asked_once_a_run() -> None:
    assert ask(None) == ("new", 1)
    assert ask(None, "later") == ("later", 1)
