"""Several processes on one cache: each distinct request is paid once, whoever dies meanwhile."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mipro.runtime.cache import claims as cache_claims
from pytest_mipro.runtime.cache.claims import Claims
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.cache.store import Store
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Reply, Request, ScriptedClient
from pytest_mipro.simulated.serving.faults import FaultPlan, Latency
from pytest_mipro.simulated.serving.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

posix = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")

# Asks each message once, in an order of its own, over HTTP; says when a call begins and what came.
WORKER = """
import asyncio, json, random, sys, urllib.request
from pathlib import Path
from pytest_mipro.runtime.cache import claims as cache_claims
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.cache.reply_cache import CachedClient
from pytest_mipro.runtime.client.contract import Message, Reply, Request

folder, url, count, seed, lease = sys.argv[1:]
cache_claims.LEASE_SECONDS = float(lease)

class HTTP:
    async def complete(self, request):
        print("asks", flush=True)
        return await asyncio.to_thread(self.post, request)

    def post(self, request):
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        data = json.dumps({"model": "small", "messages": messages, "temperature": 0}).encode()
        asked = urllib.request.Request(
            url + "/chat/completions", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return Reply(json.load(answer)["choices"][0]["message"]["content"])

    def endpoint(self, model):
        return ""

    async def aclose(self):
        pass

client = CachedClient(HTTP(), Path(folder))
numbers = list(range(int(count)))
random.Random(int(seed)).shuffle(numbers)

async def all_of_them():
    async def one(number):
        request = Request("m", (Message("user", f"message {number}"),), {"temperature": 0})
        return await client.complete(request)
    return await asyncio.gather(*(one(number) for number in numbers))

replies = dict(zip(numbers, loop.run(all_of_them())))
print("paid", sum(not reply.cached for reply in replies.values()), flush=True)
print(json.dumps([replies[number].text for number in sorted(numbers)]), flush=True)
loop.run(client.aclose())
"""


def worker(
    folder: Path, url: str, count: int, seed: int = 0, lease: float = 8.0
) -> subprocess.Popen[str]:
    arguments = [str(folder), url, str(count), str(seed), str(lease)]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WORKER, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "no_proxy": "*"},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return how many replies a worker paid for, and the replies."""
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    *_, paid, replies = output.splitlines()
    return int(paid.split()[1]), replies


def begun(process: subprocess.Popen[str]) -> None:
    """Wait until a worker has a call under way."""
    assert process.stdout is not None
    assert process.stdout.readline() == "asks\n"


def test_processes_pay_each_request_once(tmp_path: Path) -> None:
    with serve(latency=Latency(0.3)) as server:
        workers = [worker(tmp_path, server.url, 12, seed) for seed in range(6)]
        results = [ended(process) for process in workers]
        stats = server.stats()
    assert stats["calls"] == 12
    assert sum(paid for paid, _ in results) == 12
    assert len({replies for _, replies in results}) == 1


@posix
def test_a_killed_process_is_not_waited_for(tmp_path: Path) -> None:
    with serve(latency=Latency(1.5)) as server:
        first = worker(tmp_path, server.url, 1)
        begun(first)
        second = worker(tmp_path, server.url, 3)
        begun(second)  # one of the two that nobody claimed
        first.kill()  # not waited for: it stays a zombie, as a worker whose parent is busy
        started = time.monotonic()
        paid, _ = ended(second)
        assert time.monotonic() - started < 6  # the lease alone would take longer
        first.communicate()
        calls = server.stats()["calls"]
    assert paid == 3
    assert calls == 3 + 1  # the killed process's own was under way


@posix
def test_a_stopped_process_loses_its_claim_and_keeps_to_the_reply_in_use(tmp_path: Path) -> None:
    with serve(latency=Latency(0.2)) as server:
        stopped = worker(tmp_path, server.url, 1, lease=1.0)
        begun(stopped)
        stopped.send_signal(signal.SIGSTOP)
        try:
            paid, replies = ended(worker(tmp_path, server.url, 1))
        finally:
            stopped.send_signal(signal.SIGCONT)
        assert (paid, replies) == (1, ended(stopped)[1])


@posix
def test_a_failed_call_leaves_the_request_to_the_next(tmp_path: Path) -> None:
    with serve(latency=Latency(0.5), faults=FaultPlan({"500": 1.0}, most=1)) as server:
        failing = worker(tmp_path, server.url, 1)
        begun(failing)
        paid, _ = ended(worker(tmp_path, server.url, 1))
        failing.communicate(timeout=30)
        assert failing.returncode != 0
        assert paid == 1
        assert server.stats()["calls"] == 2


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "cache")
    yield store
    store.close()


def test_one_of_two_gets_a_claim_and_leaves_nothing(store: Store) -> None:
    one, other = Claims(store), Claims(store)
    assert one.take("k")
    assert not other.take("k")
    other.release("k")  # not its own
    assert not other.take("k")
    one.release("k")
    assert store.get("claim k") is None
    assert other.take("k")


def test_a_claim_ends_where_it_is_not_renewed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_claims, "LEASE_SECONDS", 2.0)
    one, other = Claims(store), Claims(store)
    assert one.take("k")
    for _ in range(6):
        time.sleep(0.4)
        one.renew()
        assert not other.take("k")
    time.sleep(2.2)
    assert other.take("k")
    one.renew()  # too late: it is the other one's now
    one.release("k")
    assert not Claims(store).take("k")


@pytest.mark.parametrize("holder", ["text", 5, {"host": "here"}, ["list"]])
def test_a_foreign_row_holds_nobody_for_long(
    store: Store, monkeypatch: pytest.MonkeyPatch, holder: Any
) -> None:
    monkeypatch.setattr(cache_claims, "LEASE_SECONDS", 0.2)
    store.exchange("claim k", None, holder, 0.2)
    claims = Claims(store)
    if isinstance(holder, dict):
        assert not claims.take("k")
        time.sleep(0.3)
    assert claims.take("k")


class Endless(ScriptedClient):
    async def complete(self, request: Request) -> Reply:
        await cache_claims.asyncio.sleep(60)
        raise AssertionError


def test_a_long_wait_says_for_whom_and_a_closed_client_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache_claims, "_SILENT_SECONDS", 0.05)
    request = Request("m", (Message("user", "hi"),))
    holder = CachedClient(Endless([]), tmp_path)
    waiter = CachedClient(ScriptedClient(["HI"]), tmp_path)
    asking = loop.submit(holder.complete(request))
    while holder._claims is None or not holder._claims.held:
        time.sleep(0.01)
    waiting = loop.submit(waiter.complete(request))
    with caplog.at_level(logging.WARNING):
        while not caplog.records:
            time.sleep(0.01)
    assert f"waiting for process {os.getpid()} on " in caplog.text
    loop.run(holder.aclose())
    assert asking.cancelled() or asking.exception() is not None
    assert waiting.result(5).text == "HI"
    loop.run(waiter.aclose())
