"""What a journal of bills sums to, over runs and gates, and for journals of older releases."""

import asyncio
import json
from pathlib import Path

import pytest

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.budget.meter import calling_in
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.plugin.replies.bill import BilledClient, JournalBill, billing
from pytest_mipro.plugin.replies.journal import (
    GATE,
    Paid,
    billed,
    last_summary,
    lines_of,
    note_gate,
    paid,
    run_of,
    study_in,
    today,
    unfinished,
)
from pytest_mipro.runtime.client.contract import Message, Request, ScriptedClient

LIMITS = Limits(calls=5)
REQUEST = Request("m", (Message("user", "hi"),))


def bill(path: Path) -> JournalBill:
    return JournalBill(path, LIMITS, CostModel(LIMITS, lambda _: None), "tests/a.mipro.json")


def ask(journal: JournalBill, stage: str) -> None:
    with billing(journal), calling_in(stage):
        asyncio.run(BilledClient(ScriptedClient(lambda _: "yes")).complete(REQUEST))


def calls(path: Path) -> dict[str, int]:
    return {entry.stage: entry.amount.calls for entry in paid(lines_of(path))}


def test_each_call_is_paid_on_its_day_in_its_stage(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    with bill(path) as journal:
        for stage in ("baseline", "search", "search"):
            ask(journal, stage)
    assert calls(path) == {"baseline": 1, "search": 2}
    assert {(entry.day, entry.model) for entry in paid(lines_of(path))} == {(today(), "m")}


def test_a_new_run_keeps_what_was_paid_and_counts_anew(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    for run in (1, 2, 3):
        with bill(path) as journal:
            assert journal.billed.calls == 0
            ask(journal, "search")
        with path.open("a") as file:
            file.write(f'{{"finished": true, "rows": {run}}}\n')
    assert calls(path) == {"search": 3}
    assert study_in(lines_of(path), path) == "tests/a.mipro.json"
    assert len(lines_of(path)) == 4  # the sums, a call, its end, the summary


def test_a_gate_is_paid_and_leaves_the_limits_and_the_summary_alone(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    gate = [Paid("2026-01-01", GATE, "m", Amount(7, 70, None))]
    with bill(path) as journal:
        ask(journal, "search")
    note_gate(path, "a", gate)
    with bill(path) as again:  # the first run did not finish
        assert again.billed.calls == 1
    assert calls(path) == {"search": 1, GATE: 7}
    with path.open("a") as file:
        file.write('{"finished": true, "rows": 9}\n')
    note_gate(path, "a", gate)
    assert unfinished(lines_of(path)) == []
    with bill(path) as fresh:
        assert fresh.billed.calls == 0
    assert calls(path) == {"search": 1, GATE: 14}
    assert (last_summary(lines_of(path)) or {})["rows"] == 9
    with path.open("a") as file:
        file.write('{"finished": true, "cut_short": true, "rows": 8, "before": {"rows": 9}}\n')
    assert (last_summary(lines_of(path)) or {})["rows"] == 9  # a search that a limit ended is none


def test_a_call_of_unknown_cost_hides_no_other_s(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    known, unknown = Amount(2, 10, 7), Amount(1, 3, None)
    note_gate(path, "s", [Paid("d", GATE, "m", each) for each in (known, unknown, known)])
    sums = [Paid("d", GATE, "m", known + known), Paid("d", GATE, "m", unknown)]
    assert paid(lines_of(path)) == sums
    note_gate(path, "s", sums)
    assert [it.amount for it in paid(lines_of(path))] == [Amount(8, 40, 28), Amount(2, 6, None)]


def test_a_gate_beside_an_optimisation_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    with bill(path) as journal:
        ask(journal, "search")
        note_gate(path, "a", [Paid("2026-01-01", GATE, "m", Amount(7, 70, None))])
        ask(journal, "search")
    assert calls(path) == {"search": 2, GATE: 7}
    with bill(path) as again:
        assert again.billed.calls == 2


def test_a_journal_of_an_older_release(tmp_path: Path) -> None:
    path = tmp_path / "test_a-0123abcd.jsonl"
    old = [
        {"before": {"finished": True, "rows": 2}},
        {"call": 1, "model": "m", "module": "f", "calls": 1, "tokens": 90, "nanodollars": 0},
        {"lost": 1, "calls": 1, "tokens": 90, "nanodollars": 0},
        {"took": 1, "calls": 1, "tokens": 4, "nanodollars": None},
        {"call": 2, "model": "m", "module": "f", "calls": 1, "tokens": 50, "nanodollars": 0},
        {"took": [], "calls": "many", "paid": 3},
    ]
    path.write_text("\n".join(map(json.dumps, old)))
    sums = paid(lines_of(path))
    assert Paid("", "", "m", Amount(2, 140, 0)) in sums
    assert Paid("", "", "m", Amount(1, 4, None)) in sums
    assert billed(lines_of(path)).calls == 3
    assert study_in(lines_of(path), path) == "test_a"


def test_two_runs_at_once_are_both_billed(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    with bill(path) as one, bill(path) as other:
        for _ in range(2):
            ask(one, "search")
            ask(other, "baseline")
        assert calls(path) == {"search": 2, "baseline": 2}
        ended = run_of(next(line for line in lines_of(path) if line.get("stage") == "search"))
        with path.open("a") as file:
            file.write(f'{{"finished": true, "runs": ["{ended}"], "rows": 9, "stages": {{}}}}\n')
        assert billed(unfinished(lines_of(path))).calls == 2  # the other one goes on
        ask(other, "baseline")
    with bill(path) as again:  # it was cut off: its calls count
        assert again.billed.calls == 3
    assert calls(path) == {"search": 2, "baseline": 3}


def test_a_run_that_outlives_another_is_billed(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    one, other = bill(path).__enter__(), bill(path).__enter__()
    ask(one, "search")
    ended = run_of(lines_of(path)[0])
    with path.open("a") as file:
        file.write(f'{{"finished": true, "runs": ["{ended}"], "rows": 9, "stages": {{}}}}\n')
    one.__exit__()
    with bill(path) as third:  # nothing is unfinished, but the other run goes on
        ask(other, "baseline")
        ask(third, "search")
    other.__exit__()
    assert calls(path) == {"search": 2, "baseline": 1}


@pytest.mark.parametrize("stages", ["{}", "5", "null", '"baseline"', "[" * 100_000])
def test_a_strange_summary_is_passed_over(tmp_path: Path, stages: str) -> None:
    path = tmp_path / "bills/a.jsonl"
    path.parent.mkdir()
    path.write_text(f'{{"finished": true, "cut_short": true, "stages": {stages}}}\n')
    assert last_summary(lines_of(path)) is None
    with bill(path) as journal:
        assert journal.billed.calls == 0


def test_a_run_beside_another_begins_no_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "bills/a.jsonl"
    with bill(path) as one, bill(path) as other:
        assert other.billed.calls == 0
        ask(one, "search")
        with bill(path):
            pass
        assert calls(path) == {"search": 1}
