"""The projects that `crashes.py` kills runs of, with a model that logs its calls.

Their conftest logs each point that a run passes to `log.jsonl`, and ends the run at the point that
the environment names. `NUMBERS` is one test file of two modules. `DESK` is of other making: asyncio
and a session fixture that call modules, a study of two files, cases of a CSV file, repeated cases,
a reasoning and an instruction in a text file.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

OPTIMIZE = ("--mipro-optimize", "--mipro-trials=8")
CONCURRENCY = 8
_CONFTEST = '''
import asyncio, hashlib, json, os, signal, time
from pytest_mipro.plugin.gate import write_replies
from pytest_mipro.plugin.lock import write_journal
from pytest_mipro.plugin.optimise.lines import progress
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

def way(request):
    return hashlib.sha256(request.canonical_json().encode()).hexdigest()[:4]

MODEL
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
    wrapped(write_replies, "atomic_write", "write", lambda path, *_: path.name)
    wrapped(write_journal.Path, "replace", "write", lambda _, path: f"rename to {path.name}")
    wrapped(write_journal.Path, "unlink", "write", lambda path, **_: f"remove {path.name}")
    wrapped(store.Store, "set", "kept", lambda _, key, value: key)
'''
_INI = f"""
[pytest]
pythonpath = .
mipro_model = test/fake
mipro_min_holdout = 5
mipro_candidates = 2
mipro_max_demos = 2
mipro_minibatch_size = 8
mipro_concurrency = {CONCURRENCY}
"""
_NUMBERS_MODEL = """
def reply(request):
    wanted = request.messages[-1].content
    if wanted.startswith("<number>"):
        return wanted.split()[1]
    if not wanted.startswith("<last>"):  # a proposal, or grounding
        return f"Look carefully at the last digit, way {way(request)}."
    number = wanted.split()[1]
    point = hashlib.sha256(number.encode()).digest()[0] / 256
    right = int(number) % 2
    return ["even", "odd"][right if point < skill(request.messages) else 1 - right]
"""
NUMBERS = {
    "pytest.ini": _INI,
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
    "conftest.py": _CONFTEST.replace("MODEL", _NUMBERS_MODEL),
}
_DESK_MODEL = """
def field(text, name):
    return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0].strip()

def reply(request):
    wanted = request.messages[-1].content
    if not wanted.startswith("<ticket>"):  # a proposal, or grounding
        return f"<instruction>Read the ticket carefully, way {way(request)}.</instruction>"
    ticket, queue = field(wanted, "ticket"), field(wanted, "queue")
    point = hashlib.sha256(f"{ticket} {queue} {request.sample}".encode()).digest()[0] / 256
    good = point < skill(request.messages)
    if queue:
        return f"Dear customer, {queue if good else 'nobody'} looks at it."
    right = ["billing", "bug"][int(ticket.split()[-1]) % 2]
    label = right if good else {"billing": "bug", "bug": "billing"}[right]
    return f"<reasoning>It is about {right}.</reasoning><answer>{label}</answer>"
"""
DESK = {
    "pytest.ini": _INI.replace("pythonpath = .", "pythonpath = src"),
    "src/desk/texts/answer.txt": "Answer the customer in a sentence.\n",
    "src/desk/__init__.py": "",
    "src/desk/pipeline.py": '''
from typing import Literal
from pytest_mipro import lm_module

@lm_module(reasoning=True)
async def sort(ticket: str) -> Literal["billing", "bug"]:
    """Sort the ticket."""

@lm_module(prompt="texts/answer.txt")
def answer(ticket: str, queue: str) -> str:
    """Answer the customer."""
''',
    "tests/tickets.csv": "id,ticket,queue\n"
    + "".join(f"T-{n},ticket {n},{['billing', 'bug'][n % 2]}\n" for n in range(40)),
    "tests/queue/test_queue.py": """
import pytest
from desk.pipeline import answer, sort
from pytest_mipro import cases

@pytest.fixture(scope="session")
def greeting():
    return answer(ticket="hello 0", queue="billing")

@pytest.mark.mipro(threshold=0.1, study="desk", rerun_safe=["greeting"])
@cases("../tickets.csv")
async def test_queue(greeting, ticket, queue):
    assert await sort(ticket=ticket) == queue
""",
    "tests/reply/test_reply.py": """
import pytest
from desk.pipeline import answer
from pytest_mipro import Score, cases

@pytest.mark.mipro(threshold=0.1, study="desk", repeats=2)
@cases("../tickets.csv")
def test_reply(ticket, queue):
    return Score(float(queue in answer(ticket=ticket, queue=queue)), feedback="names no queue")
""",
    "conftest.py": _CONFTEST.replace("MODEL", _DESK_MODEL),
}


@dataclass(frozen=True)
class Scenario:
    """A command that is killed, and the project that it runs in.

    `before` is run first, undisturbed, and then `edit` = (file, old, new) made.
    """

    name: str
    files: Mapping[str, str]
    command: Sequence[str]
    before: Sequence[str] = ()
    edit: tuple[str, str, str] | None = None


SCENARIOS = (
    Scenario("numbers", NUMBERS, OPTIMIZE),
    Scenario("desk", DESK, OPTIMIZE),
    Scenario("record", DESK, ("--mipro-replies=record",)),
    Scenario(
        "update-lock",
        DESK,
        ("--mipro-update-lock",),
        OPTIMIZE,
        ("tests/tickets.csv", "ticket 7,", "another ticket 7,"),
    ),
)


def log(folder: Path, kind: str) -> list[Any]:
    """Return the names of the points of a kind that the runs of this folder passed, in order.

    Of the kind "signal" it is not a name: the time and the processor time when it was sent.
    """
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [name for what, name in map(json.loads, lines) if what == kind]


def by_stage(folder: Path) -> dict[str, list[tuple[str, int]]]:
    """Return the calls and replies of the folder's past run, as (kind, index), by their stage."""
    stages: dict[str, list[tuple[str, int]]] = {}
    counts: Counter[str] = Counter()
    stage = "cases"
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        kind, name = json.loads(line)
        if kind == "event" and name.startswith(("StageStarted", "CandidatesReady")):
            begun = name.removeprefix("StageStarted ")
            # The search begins with demos; its trials come behind each round's candidates.
            stage = "bootstrap" if begun == "search" else begun
            stage = "search" if begun.startswith("CandidatesReady") else stage
        if kind in ("asked", "answered", "kept"):
            stages.setdefault(stage, []).append((kind, counts[kind]))
            counts[kind] += 1
    return stages
