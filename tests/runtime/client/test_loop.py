"""The background loop: one a process, safe to wait for from any thread but its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from live_calls import KEY

from pytest_mipro.errors import ModuleCallError
from pytest_mipro.runtime.client import loop

if TYPE_CHECKING:
    from scripted_server import ScriptedServer


async def where() -> tuple[asyncio.AbstractEventLoop, str]:
    await asyncio.sleep(0)
    return asyncio.get_running_loop(), threading.current_thread().name


def test_all_callers_share_one_loop_on_a_daemon_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: loop.run(where()), range(32)))
    places.add(asyncio.run(loop.run_async(where())))
    assert places == {(loop.background_loop(), "mipro-loop")}
    (thread,) = [t for t in threading.enumerate() if t.name == "mipro-loop"]
    assert thread.daemon


def test_a_wait_ends_though_a_test_has_stopped_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    loop.submit(asyncio.sleep(0.01)).result(timeout=10)


def test_errors_come_back_as_they_are() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        loop.run(fail())
    with pytest.raises(KeyError):
        asyncio.run(loop.run_async(fail()))


def test_waiting_on_the_loop_s_own_thread_is_refused() -> None:
    async def blocking() -> object:
        return loop.run(where())

    with pytest.raises(ModuleCallError, match="async def"):
        loop.run(blocking())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_gets_a_loop_of_its_own() -> None:
    code = (
        "import os, warnings\n"
        "from pytest_mipro.runtime.client import loop\n"
        "async def one(): return 1\n"
        "loop.run(one())\n"
        "warnings.simplefilter('ignore')\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(loop.run(one()) + 6)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_the_process_ends_while_a_call_is_under_way() -> None:
    code = (
        "import asyncio\n"
        "from pytest_mipro.runtime.client import loop\n"
        "async def long(): await asyncio.sleep(60)\n"
        "loop.submit(long())\n"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=20, check=True
    )
    assert time.monotonic() - started < 10
    assert done.stderr == b""


@pytest.mark.parametrize("before", [0, 1])
def test_a_thread_that_outlives_the_main_one_is_told_to_be_joined(
    server: ScriptedServer, before: int
) -> None:
    code = f"""
import threading
from pytest_mipro.errors import ModuleCallError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.client.providers import default_client
def call():
    request = Request("openai/gpt-4o-mini", (Message("user", "hi"),))
    return loop.run(default_client().complete(request)).text
def late():
    threading.main_thread().join()
    try:
        call()
    except ModuleCallError as error:
        print(error)
for _ in range({before}):
    call()
threading.Thread(target=late).start()
"""
    environment = {**os.environ, "OPENAI_BASE_URL": server.base, "OPENAI_API_KEY": KEY}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "join your threads" in done.stdout, done.stderr
    assert len(server.bodies) == before
