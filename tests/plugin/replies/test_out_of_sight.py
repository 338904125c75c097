"""What cases do out of sight: connections in a replay, child processes, threads, no calls."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest
from gate_project import write_gate

TEST = """
import pytest
from pipeline import say

{body}

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("text", ["one", "two", "three"])
def test_say(text):
    assert work(text) == "ONE"
"""

REFUSED = (
    "*the case connects to {address}, but --mipro-replies=replay uses recorded replies and no "
    "network; answer the call in the test*"
)


def replay(pytester: pytest.Pytester, body: str, *args: str) -> pytest.RunResult:
    write_gate(pytester, TEST.format(body=body))
    return pytester.runpytest_inprocess("--mipro-replies=replay", *args)


CONNECT = {
    "socket": "import socket; socket.create_connection(('203.0.113.7', 443), timeout=1)",
    "connect_ex": "import socket\n"
    "    with socket.socket() as s: s.connect_ex(('203.0.113.7', 443))",
    "udp": "import socket\n"
    "    with socket.socket(type=socket.SOCK_DGRAM) as s: s.sendto(b'x', ('203.0.113.7', 443))",
    "urllib": "import urllib.request; urllib.request.urlopen('http://203.0.113.7:443', timeout=1)",
    "httpx": "import httpx; httpx.get('http://203.0.113.7:443', timeout=1)",
    "asyncio": "import asyncio; asyncio.run(asyncio.open_connection('203.0.113.7', 443))",
    "thread": "import socket; from concurrent.futures import ThreadPoolExecutor\n"
    "    ThreadPoolExecutor().submit(socket.create_connection, ('203.0.113.7', 443), 1).result()",
}


@pytest.mark.parametrize("call", CONNECT.values(), ids=CONNECT)
def test_a_connection_in_a_replay_is_the_case_s_error(pytester, call):
    result = replay(pytester, f"def work(text):\n    {call}\n    return 'ONE'")
    result.stdout.fnmatch_lines(["*INCOMPLETE: 3 cases had an error*"])
    result.stdout.fnmatch_lines([REFUSED.format(address="203.0.113.7:443")])


def test_a_pipeline_that_swallows_the_refusal_gets_no_score(pytester):
    body = """
import socket
def work(text):
    try:
        socket.create_connection(("model.example", 443), timeout=1)
    except OSError:
        return "ONE"
"""
    result = replay(pytester, body)
    result.stdout.fnmatch_lines([REFUSED.format(address="model.example:443")])
    result.stdout.fnmatch_lines(["*INCOMPLETE: 3 cases had an error*"])


def test_a_lookup_in_asyncio_s_own_thread_is_the_case_s(pytester):
    body = """
import asyncio
def work(text):
    async def connect():
        try:
            await asyncio.open_connection("model.example", 443)
        except OSError:
            return "ONE"
    return asyncio.run(connect())
"""
    result = replay(pytester, body)
    result.stdout.fnmatch_lines([REFUSED.format(address="model.example:443")])


@pytest.mark.usefixtures("litellm_imported")
def test_litellm_s_own_functions_reach_no_model_in_a_replay(pytester, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    body = """
import litellm
def work(text):
    try:
        litellm.completion("openai/gpt-4o", [{"role": "user", "content": text}], max_retries=0)
    except Exception:
        return "ONE"
"""
    result = replay(pytester, body, "-k", "one")
    wanted = "*the pipeline's own client has no recorded reply*"
    result.stdout.fnmatch_lines([wanted])
    assert result.ret == 1


PROBE = """
import socket
def probe():
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.connect(("203.0.113.7", 9))  # sends nothing
"""


def test_loopback_fixtures_and_unmarked_tests_stay_as_they_are(pytester):
    body = """
@pytest.fixture(scope="module", autouse=True)
def remote():
    probe()
    yield
    probe()

def test_unmarked():
    probe()

def work(text):
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost", "::ffff:127.0.0.1"):
            socket.create_connection((host, server.getsockname()[1])).close()
    for end in socket.socketpair():
        end.close()
    socket.getaddrinfo(socket.gethostname(), None)
    return "ONE"
"""
    replay(pytester, PROBE + body).assert_outcomes(passed=5)
    with socket.socket(type=socket.SOCK_DGRAM) as probe:  # the refusal ends with the run
        probe.connect(("203.0.113.7", 9))


def test_threads_from_before_the_run_are_left_alone_in_a_replay(pytester):
    conftest = """
import queue, socket, threading
orders, answers = queue.Queue(), queue.Queue()

def upload():
    while orders.get():
        try:
            with socket.socket(type=socket.SOCK_DGRAM) as s:
                answers.put(s.connect(("203.0.113.7", 9)))
        except OSError as error:
            answers.put(error)

def pytest_configure(config):
    threading.Thread(target=upload, daemon=True).start()
    config.add_cleanup(lambda: orders.put(False))
"""
    body = """
from conftest import answers, orders
def work(text):
    orders.put(True)
    return "ONE" if answers.get(timeout=5) is None else ""
"""
    write_gate(pytester, TEST.format(body=body))
    path = pytester.path / "conftest.py"
    path.write_text(path.read_text() + conftest)
    pytester.runpytest_inprocess("--mipro-replies=replay").assert_outcomes(passed=4)


def test_workers_of_xdist_tell_the_refusal(pytester):
    body = (
        "import socket\ndef work(text): socket.create_connection(('203.0.113.7', 443), timeout=1)"
    )
    result = replay(pytester, body, "-n1")
    result.stdout.fnmatch_lines([REFUSED.format(address="203.0.113.7:443")])
    result.stdout.fnmatch_lines(["*INCOMPLETE: 3 cases had an error*"])


def test_other_modes_refuse_no_connection(pytester):
    write_gate(pytester, TEST.format(body=PROBE + "def work(text): return probe() or 'ONE'"))
    pytester.runpytest_inprocess().assert_outcomes(passed=4)


CHILD = """
import multiprocessing, pytest
from concurrent.futures import ProcessPoolExecutor
def work(text):
    context = multiprocessing.get_context({method!r})
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        {call}
"""
METHODS = ["spawn", *(["fork", "forkserver"] if sys.platform != "win32" else [])]


@pytest.mark.parametrize(
    ("mode", "method"), [*(("auto", method) for method in METHODS), ("replay", METHODS[-1])]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_module_call_in_a_process_pool_gets_the_error_of_threads(pytester, method, mode):
    call = "return pool.submit(say, text).result()"
    write_gate(pytester, TEST.format(body=CHILD.format(method=method, call=call)))
    result = pytester.runpytest_subprocess(f"--mipro-replies={mode}", "-W", "ignore")
    result.stdout.fnmatch_lines(
        ["*LM module 'pipeline.say' was called in a child process of a case*"]
    )
    result.stdout.fnmatch_lines(["*INCOMPLETE: 3 cases had an error*"])


def test_what_the_pipeline_swallows_of_a_child_breaks_the_case(pytester):
    call = "return 'ONE' if pool.submit(say, text).exception() else ''"
    write_gate(pytester, TEST.format(body=CHILD.format(method="spawn", call=call)))
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*INCOMPLETE: 3 cases had an error*"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_of_a_replay_connects_to_nothing_either(pytester):
    body = """
import os, socket
def work(text):
    child = os.fork()
    if not child:
        try:
            socket.create_connection(("203.0.113.7", 443), timeout=1)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return "ONE"
"""
    write_gate(pytester, TEST.format(body=body))
    result = pytester.runpytest_subprocess("--mipro-replies=replay", "-k", "one", "-W", "ignore")
    result.stdout.fnmatch_lines([REFUSED.format(address="203.0.113.7:443")])


def test_a_lookup_alone_leaves_the_machine_too(pytester):
    body = """
import socket
def work(text):
    socket.gethostbyname(socket.gethostname())
    socket.gethostbyname("model.example")
"""
    result = replay(pytester, body, "-k", "one")
    result.stdout.fnmatch_lines([REFUSED.format(address="model.example")])


def test_a_child_of_a_replay_connects_to_nothing_either(pytester):
    body = """
import multiprocessing, socket
from concurrent.futures import ProcessPoolExecutor

def work(text):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(connect).exception()
    return "ONE"
"""
    write_gate(pytester, TEST.format(body="from network import connect" + body))
    pytester.makepyfile(
        network="""
        import socket
        import pytest_mipro
        pytest_mipro.lm_module
        def connect():
            socket.create_connection(("model.example", 443), timeout=1)
        """
    )
    result = pytester.runpytest_subprocess("--mipro-replies=replay", "-k", "one")
    result.stdout.fnmatch_lines([REFUSED.format(address="model.example:443")])


@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_a_call_out_of_sight_ends_the_test_at_its_first_case(pytester, workers):
    body = """
import threading
def work(text):
    first = say(text=text)
    threading.Thread(target=lambda: pytest.raises(Exception, say, text=text)).start()
    import time; time.sleep(0.01)
    return first
"""
    write_gate(pytester, TEST.format(body=body))
    result = pytester.runpytest_inprocess("--mipro-json=r.json", *workers)
    result.stdout.fnmatch_lines(["*not tried: *: LM module 'pipeline.say' was called in a thread*"])
    cases = json.loads((pytester.path / "r.json").read_text())["studies"][0]["tests"][0]["cases"]
    assert sum(case["calls"] for case in cases) == 1


@pytest.mark.parametrize("mode", ["auto", "record", "replay", "fresh"])
def test_a_test_whose_cases_call_no_module_is_told_in_every_mode(pytester, mode):
    body = "def work(text): return 'ONE'"
    source = (
        TEST.format(body=body)
        + """
@pytest.mark.mipro(threshold=0.1)
def test_seen():
    say(text="one")
"""
    )
    write_gate(pytester, source)
    pytester.runpytest_inprocess("--mipro-replies=record", "-k", "seen")
    result = pytester.runpytest_inprocess(f"--mipro-replies={mode}", "-q", "--mipro-markdown=r.md")
    assert result.ret == 0
    lines = [line.strip() for line in result.outlines]
    (place,) = (n for n, line in enumerate(lines) if line.startswith("no case called an LM module"))
    assert lines[place - 1].startswith("test_say")
    assert "no case called an LM module" in (pytester.path / "r.md").read_text()
    part = pytester.runpytest_inprocess(f"--mipro-replies={mode}", "-k", "one")
    part.stdout.fnmatch_lines(["*no case called an LM module*"])
