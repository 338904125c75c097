"""Several processes share a reply cache."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cached_calls import DATABASE, request

from pytest_mipro.runtime.client.contract import ScriptedClient

if TYPE_CHECKING:
    from pathlib import Path

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
