"""Budgets of tokens, money and time: what they hold, and the bill."""

import json
import re
import socket
import threading
from collections import Counter

import pytest
from optimize_project import (
    PRICED,
    TESTS,
    check_output,
    live_calls,
    optimize,
    write_project,
    written,
)


@pytest.fixture(autouse=True)
def _short_proposals(monkeypatch):
    for room in ("proposing.proposer_models", "rounds.instruction_proposer"):
        monkeypatch.setattr(f"pytest_mipro.optimizer.{room}.MAX_PROMPT_CHARACTERS", 2000)


def journal(pytester):
    (path,) = (pytester.path / ".mipro" / "bills").glob("*.jsonl")
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def billed(pytester):
    """Return (calls, tokens, nanodollars) that the journal tells of."""
    took = [line for line in journal(pytester) if "took" in line]
    return tuple(sum(line[key] for line in took) for key in ("calls", "tokens", "nanodollars"))


@pytest.mark.parametrize("cost", ["0.5", "4", "10"])
def test_a_cost_is_never_exceeded(pytester, cost):
    write_project(pytester, ini=PRICED)
    result = optimize(pytester, f"--mipro-max-cost={cost}")
    calls, _, nanodollars = billed(pytester)
    assert calls == live_calls(pytester)
    assert 0 < nanodollars <= float(cost) * 10**9
    if result.ret:
        needed = "leaves $*, decision and final pass may need $*; raise it to *(--mipro-max-cost*"
        result.stdout.fnmatch_lines([f"*the limit of ${cost} {needed}"])
        assert written(pytester) == {}


def test_tokens_are_never_exceeded_and_the_decision_is_kept(pytester):
    write_project(pytester, ini=PRICED)
    optimize(pytester, "--mipro-diff")
    ample = billed(pytester)[1]
    result = optimize(pytester, "--mipro-max-tokens=16000", "--mipro-replies=fresh")
    text = " ".join(result.stdout.str().split())
    assert result.ret == 0
    assert "limits: 16,000 tokens" in text
    assert 0 < billed(pytester)[1] <= 16000
    assert ample < 16000  # what ends it is the worst case of what is under way
    ended = "the search ended early: the limit of 16,000 tokens leaves "
    assert ended in text or written(pytester)


def test_a_time_that_is_used_up_ends_the_run_cleanly(pytester):
    slow = """
import asyncio
_complete = Client.complete
async def complete(self, request):
    if not request.messages[-1].content.startswith("<number>"):
        await asyncio.sleep(60)  # a proposer that hangs
    return await _complete(self, request)
Client.complete = complete
"""
    write_project(pytester, conftest=slow)
    result = optimize(pytester, "--mipro-max-time=3")
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    kept = r"( but for \d seconds? kept for the decision)?"  # as much as the baseline took
    line = rf"the search ended early: the limit of 3 seconds is used up{kept} \(--mipro-max-time\)"
    assert re.search(line, text)
    assert "limits: 3 s" in text
    assert result.duration < 30


def test_the_bill_sums_over_a_run_that_was_cut_off(pytester, monkeypatch):
    write_project(pytester)
    monkeypatch.setenv("MIPRO_TEST_CALLS", "60")
    assert optimize(pytester).ret == pytest.ExitCode.TESTS_FAILED
    before = billed(pytester)[0]
    assert before >= 60
    monkeypatch.delenv("MIPRO_TEST_CALLS")
    result = optimize(pytester)
    more = live_calls(pytester)
    lines = journal(pytester)
    assert billed(pytester)[0] == before + more
    assert lines[-1]["finished"]
    assert sum(item["calls"] for item in lines[-1]["stages"].values()) == 60 + more
    assert "billed" in result.stdout.str()
    optimize(pytester, "--mipro-diff")  # all is cached: a new bill, of nothing
    assert [line for line in journal(pytester) if "call" in line] == []


def test_a_call_that_a_killed_run_left_open_counts_as_spent(pytester):
    write_project(pytester, ini=PRICED)
    optimize(pytester, "--mipro-diff", "--mipro-max-cost=20")
    (path,) = (pytester.path / ".mipro" / "bills").glob("*.jsonl")
    dear = {
        "call": 7,
        "model": "m",
        "module": "",
        "calls": 1,
        "tokens": 9,
        "nanodollars": 15 * 10**9,
    }
    path.write_text(json.dumps(dear) + '\n{"call": 8, "mod')
    result = optimize(pytester, "--mipro-diff", "--mipro-max-cost=15.2", "--mipro-replies=fresh")
    text = " ".join(result.stdout.str().split())
    assert "the limit of $15.2 is used up: the next call could exceed it (--mipro-max-cost" in text
    assert result.ret == 0
    assert billed(pytester)[2] < 0.2 * 10**9


def test_a_dry_run_tells_what_the_last_run_took(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # each line as it is
    write_project(pytester, ini=PRICED)
    optimize(pytester, "--mipro-diff")
    result = optimize(pytester, "--mipro-dry-run")
    result.stdout.fnmatch_lines(
        ["expected    about * calls, * tokens, $* by the last run with test/fake; cached replies *"]
    )


def test_the_report_tells_spending_by_stage_module_and_model(pytester):
    write_project(pytester, ini=PRICED)
    result = optimize(pytester, "-v", "--mipro-json=report.json")
    (study,) = json.loads((pytester.path / "report.json").read_text())["optimizations"]
    spending = study["spending"]
    assert {"baseline", "proposals", "search", "decision"} <= {item["stage"] for item in spending}
    assert {(item["module"], item["model"]) for item in spending} == {
        ("", "test/fake"),
        ("pipeline.parity", "test/fake"),
    }
    assert sum(item["calls"] for item in spending) == study["calls"] == study["billed"]["calls"]
    assert study["billed"]["cost"] == pytest.approx(sum(item["cost"] for item in spending))
    assert study["billed"]["cost"] == pytest.approx(billed(pytester)[2] / 10**9)
    paid = Counter(line["stage"] for line in journal(pytester) if "call" in line)
    told = Counter[str]()
    for item in spending:
        told[item["stage"]] += item["calls"]
    assert paid == told  # `python -m pytest_mipro cost` sums the journal
    text = " ".join(result.stdout.str().split())
    assert re.search(
        r"the pipeline runs at most [\d,]+ times expected, by stage: "
        r"baseline 40 calls, [\d,]+ tokens, \$[\d.]+ bootstrap",
        text,
    )
    assert f"billed {study['calls']:,} calls, {study['billed']['tokens']:,} tokens, $" in text


def test_a_case_that_hangs_scores_zero(pytester):
    source = """
import threading

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    parity(number=str(number))
    if number == 3:
        threading.Event().wait(60)
"""
    write_project(pytester, source, ini="mipro_case_timeout = 1")
    result = optimize(pytester, "--mipro-trials=1")
    assert result.ret == 0
    assert result.duration < 40
    result.stdout.fnmatch_lines(["before      0.975 *"])


FIXTURE = """
import pytest
from concurrent.futures import ThreadPoolExecutor
from pipeline import parity

@pytest.fixture(scope="session", autouse=True)
def summaries():
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: parity(number=str(1000 + n)), range(CALLS)))
    yield done
    parity(number="2000")
"""


def test_calls_of_session_fixtures_count(pytester):
    write_project(pytester, FIXTURE.replace("CALLS", "30") + TESTS)
    optimize(pytester, "--mipro-diff")
    ample = live_calls(pytester)
    assert len([line for line in journal(pytester) if "call" in line]) == ample - 1  # its teardown
    for limit in (ample - 20, 25):
        result = optimize(pytester, f"--mipro-max-calls={limit}", "--mipro-replies=fresh")
        assert 20 < live_calls(pytester) <= limit
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*the limit of 25 calls is used up: the next call could exceed*"])


class CuttingServer:
    """An endpoint that counts what it answers, and cuts every third answer short."""

    def __init__(self):
        self.answered = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection, connection.makefile("rb") as asked:
            length = 0
            while (line := asked.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            text = asked.read(length).decode()
            with self._lock:
                self.answered += 1
                cut = self.answered % 3 == 0
            reply = "odd" if "<number>" in text else "Look at the last digit."
            message = {"role": "assistant", "content": reply}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
            usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
            data = json.dumps(body | {"choices": [choice], "usage": usage}).encode()
            head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(data)}\r\nconnection: close\r\n\r\n"
            connection.sendall(head.encode() + (data[:40] if cut else data))

    def close(self):
        self._socket.close()


def test_a_connection_that_cuts_answers_lets_no_more_through_than_the_limit(pytester, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-2f8a91c04b")
    limit = 60
    write_project(pytester, FIXTURE.replace("CALLS", "9") + TESTS)
    (pytester.path / "conftest.py").unlink()
    server = CuttingServer()
    model = ("-o", "mipro_model=openai/own", "-o", f"mipro_api_base={server.base}")
    try:  # in a process of its own: litellm stays imported
        result = pytester.runpytest_subprocess(
            "--mipro-optimize", *model, f"--mipro-max-calls={limit}"
        )
    finally:
        server.close()
    check_output(result)
    assert limit / 2 < server.answered <= limit
