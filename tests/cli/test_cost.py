"""`cost`: sums of the journals, by day, study, model and stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_project import Run, write

UNTOLD = """
from dataclasses import replace

class Untold(ScriptedClient):
    async def complete(self, request):
        reply = await super().complete(request)
        return replace(reply, cost=None if request.sample else 1.0)

ScriptedClient = Untold
"""


def journal(study: str, *entries: tuple[str, str, str, int, int, int | None]) -> str:
    names = ("day", "stage", "model", "calls", "tokens", "nanodollars")
    line = {"study": study, "paid": [dict(zip(names, entry, strict=True)) for entry in entries]}
    return f"{json.dumps(line)}\n"


def test_sums(desk: Path, command: Run) -> None:
    one = journal(
        "tests/test_desk.mipro.json",
        ("2026-11-02", "search", "a/large", 20, 4_000, 1_500_000_000),
        ("2026-11-01", "gate", "b/small", 4, 100, None),
    )
    other = journal("tests/test_b.mipro.json", ("2026-11-02", "baseline", "a/large", 1, 10, 10**9))
    write(desk, ".mipro/bills/test_desk-01.jsonl", one)
    write(desk, ".mipro/bills/test_b-02.jsonl", other)
    ended = command("cost")
    assert (ended.status, ended.err) == (0, "")
    unpriced = " (the cost of 4 calls is unknown)"
    assert ended.out.splitlines() == [
        "by day (UTC)",
        f"  2026-11-01  4 calls, 100 tokens{unpriced}",
        "  2026-11-02  21 calls, 4,010 tokens, $2.50",
        "by study",
        "  tests/test_b.mipro.json     1 call, 10 tokens, $1.00",
        f"  tests/test_desk.mipro.json  24 calls, 4,100 tokens, $1.50{unpriced}",
        "by model",
        "  a/large  21 calls, 4,010 tokens, $2.50",
        f"  b/small  4 calls, 100 tokens{unpriced}",
        "by stage",
        f"  gate      4 calls, 100 tokens{unpriced}",
        "  baseline  1 call, 10 tokens, $1.00",
        "  search    20 calls, 4,000 tokens, $1.50",
        f"in all 25 calls, 4,110 tokens, $2.50{unpriced}",
    ]


@pytest.mark.parametrize("chosen", ["", "-p mipro", "-p pytest_mipro.plugin.hooks"])
def test_plugins_need_not_be_found_by_pytest(
    desk: Path, command: Run, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", chosen)
    ended = command("cost")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("nothing was billed")


def test_a_gate_is_billed_once(desk: Path, command: Run, pytester: pytest.Pytester) -> None:
    assert command("cost").out.startswith("nothing was billed")
    pytester.mkdir(".mipro")
    for _ in range(2):  # the second run answers from the cache
        pytester.runpytest_inprocess("-p", "no:cacheprovider")
        out = command("cost").out
        assert "by stage\n  gate  4 calls" in out
        assert "  test/small " in out


def test_a_call_of_unknown_cost_hides_none_of_its_case(
    desk: Path, command: Run, pytester: pytest.Pytester
) -> None:
    pytester.mkdir(".mipro")
    client = (desk / "conftest.py").read_text()
    write(desk, "conftest.py", f"{client}\n{UNTOLD}")
    tests = (desk / "tests/test_desk.py").read_text()
    write(desk, "tests/test_desk.py", tests.replace("threshold=0.1", "threshold=0.1, repeats=2"))
    pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert "$4.00 (the cost of 4 calls is unknown)" in command("cost").out


def test_an_interrupted_gate_is_billed_for_the_cases_that_ran(
    desk: Path, command: Run, pytester: pytest.Pytester
) -> None:
    pytester.mkdir(".mipro")
    write(
        desk,
        "stop.py",
        "def pytest_runtest_setup(item):\n"
        "    stop.append(item)\n"
        "    if len(stop) == 2:\n"
        "        raise KeyboardInterrupt\n"
        "stop = []\n",
    )
    pytester.syspathinsert(desk)
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "stop")
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    assert "by stage\n  gate  2 calls" in command("cost").out


def test_what_is_no_journal_is_passed_over(desk: Path, command: Run) -> None:
    write(desk, ".mipro/bills/x-1.jsonl", '[]\n{"call": {}, "calls": []}\n{"paid": [1, {}]}\nno')
    assert command("cost").status == 0
