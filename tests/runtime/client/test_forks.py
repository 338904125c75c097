"""A forked process calls models as its parent does, whatever the parent's threads are at."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from live_calls import KEY
from scripted_server import Answer, completion

if TYPE_CHECKING:
    from scripted_server import ScriptedServer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

_CALLS = """
import os, sys, threading, time, warnings
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.client.providers import default_client
warnings.simplefilter("ignore")  # of threads at a fork

def call(text):
    request = Request("openai/gpt-4o-mini", (Message("user", text),))
    return loop.run(default_client().complete(request)).text

def calls(text, count):
    threads = [threading.Thread(target=call, args=(text,), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads

def in_child(work):
    pid = os.fork()
    if pid == 0:
        os._exit(7 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def slow_or_not(body: dict[str, Any]) -> Answer:
    slow = "slow" in body["messages"][-1]["content"]
    return Answer(body=completion("hello").body, delay=1.0 if slow else 0.0)


def told(server: ScriptedServer, script: str) -> str:
    environment = {**os.environ, "OPENAI_BASE_URL": server.base, "OPENAI_API_KEY": KEY}
    command = [sys.executable, "-c", _CALLS + script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_a_child_does_not_wait_for_its_parent_s_calls(server: ScriptedServer) -> None:
    server.script = slow_or_not
    script = """
def work():
    for thread in calls("slow", 20):
        thread.join()
    return call("child") == "hello"
call("first")
under_way = calls("slow", 20)  # more than may be in flight: all slots are taken
time.sleep(0.4)
print(in_child(work), call("parent"))
for thread in under_way:
    thread.join()
"""
    assert told(server, script) == "7 hello\n"


def test_a_lock_held_by_another_thread_is_free_in_the_child(server: ScriptedServer) -> None:
    script = """
from pytest_mipro.runtime.client.forks import ProcessLock
lock, held = ProcessLock(), threading.Event()
def hold():
    with lock:
        held.set()
        time.sleep(60)
def take():
    with lock:
        return True
threading.Thread(target=hold, daemon=True).start()
held.wait()
print(in_child(take))
"""
    assert told(server, script) == "7\n"
