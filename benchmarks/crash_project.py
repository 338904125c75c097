"""The project that `crashes.py` optimises: two modules, 40 cases, and a model that logs its calls.

Its conftest logs each point that a run passes to `log.jsonl`, and ends the run at the point that
the environment names.
"""

from __future__ import annotations

CONCURRENCY = 8
FILES = {
    "pytest.ini": f"""
[pytest]
pythonpath = .
mipro_model = test/fake
mipro_min_holdout = 5
mipro_candidates = 2
mipro_max_demos = 2
mipro_minibatch_size = 8
mipro_concurrency = {CONCURRENCY}
""",
    "pipeline.py": '''
from typing import Literal
from pytest_mipro import lm_module

@lm_module
def digit(number: str) -> str:
    """Name the last digit."""

@lm_module
def parity(last: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
''',
    "test_numbers.py": """
import pytest
from pipeline import digit, parity

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert parity(last=digit(number=str(number))) == ("odd" if number % 2 else "even")
""",
    "conftest.py": '''
import asyncio, hashlib, json, os, signal, time
from pytest_mipro.plugin.optimise import progress
from pytest_mipro.plugin.lock import write_journal
from pytest_mipro.runtime.cache import store
from pytest_mipro.runtime.client.contract import ScriptedClient

LOG = os.open("log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
KIND, COUNT, SIGNAL = os.environ.get("CRASH_AT", "none 0 0").split()
seen = {}

def passed(kind, name):
    """Note that the run came to this point, and end it here if so it is asked."""
    seen[kind] = seen.get(kind, -1) + 1
    os.write(LOG, f"{json.dumps([kind, name])}\\n".encode())
    if kind == KIND and seen[kind] == int(COUNT):
        sent = ["signal", [time.monotonic(), time.process_time()]]
        os.write(LOG, f"{json.dumps(sent)}\\n".encode())
        os.kill(os.getpid(), int(SIGNAL))

def skill(messages):
    demos = sum(message.role == "assistant" for message in messages)
    return 0.25 + 0.6 * ("carefully" in messages[0].content) + 0.05 * min(demos, 2)

def reply(request):
    wanted = request.messages[-1].content
    if wanted.startswith("<number>"):
        return wanted.split()[1]
    if not wanted.startswith("<last>"):  # a proposal, or grounding
        asked = "".join(message.content for message in request.messages) + str(request.sample)
        way = hashlib.sha256(asked.encode()).hexdigest()[:4]  # other requests, other instructions
        return f"Look carefully at the last digit, way {way}."
    number = wanted.split()[1]
    point = hashlib.sha256(number.encode()).digest()[0] / 256
    right = int(number) % 2
    return ["even", "odd"][right if point < skill(request.messages) else 1 - right]

class Client(ScriptedClient):
    async def complete(self, request):
        passed("asked", request.digest())
        await asyncio.sleep(0.002)
        answer = await super().complete(request)
        passed("answered", request.digest())
        return answer

def pytest_mipro_client(config):
    return Client(reply)

def wrapped(holder, name, kind, label):
    real = getattr(holder, name)
    def wrapper(*arguments, **named):
        passed(kind, label(*arguments))
        return real(*arguments, **named)
    setattr(holder, name, wrapper)

def event_name(_, event):
    told = [str(getattr(event, name)) for name in ("stage", "round") if hasattr(event, name)]
    return " ".join([type(event).__name__, *told])

if KIND != "none":
    wrapped(progress.Progress, "__call__", "event", event_name)
    wrapped(write_journal, "atomic_write", "write", lambda path, *_: path.name)
    wrapped(write_journal.Path, "unlink", "write", lambda path, **_: f"remove {path.name}")
    wrapped(store.Store, "set", "kept", lambda _, key, value: key)
''',
}
