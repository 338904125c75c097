"""What the proposer is shown of the whole: rows of the data, the program's source, its modules."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer_world import Row, judge, judged, make_rows, make_study, metric_colour, note, sort
from world_model import WorldClient

from pytest_mipro import step
from pytest_mipro.optimizer.budget.ledger import Ledger
from pytest_mipro.optimizer.budget.meter import Accounting
from pytest_mipro.optimizer.measuring.evaluate import Evaluator
from pytest_mipro.optimizer.proposing import proposal_context
from pytest_mipro.optimizer.proposing.proposal_context import (
    dataset_summary,
    module_text,
    program_source,
    program_summary,
)
from pytest_mipro.optimizer.study.amount import Amount, Limits
from pytest_mipro.optimizer.study.case import Case, CaseRun, Outcome
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.client.contract import Message


class Proposer:
    """Notes what it is asked."""

    def __init__(self, limit: int = 99_999) -> None:
        self.asked: list[tuple[Message, ...]] = []
        self._limit = limit

    async def ask(self, make: Callable[[int], tuple[Message, ...]]) -> str:
        self.asked.append(make(self._limit))
        return f"reply {len(self.asked)}"

    @property
    def users(self) -> list[str]:
        return [messages[-1].content for messages in self.asked]


def runs_of(rows: tuple[Row, ...], tests: Any = None) -> tuple[CaseRun, ...]:
    study = make_study(rows, tests)
    made = Evaluator(study, WorldClient(), Accounting(), concurrency=2)
    try:
        part = Ledger(Limits()).part("trial", Amount(999), stage="search")
        assert part is not None
        return made.start({}, study.cases, part).result().runs
    finally:
        made.close()


def summary(cases: Any, seed: int = 0, limit: int = 99_999) -> tuple[str, Proposer]:
    proposer = Proposer(limit)
    return asyncio.run(dataset_summary(cases, seed, proposer.ask)), proposer


# Dataset.


def test_a_sample_of_rows_is_described_by_one_call_another_draw_for_another_seed() -> None:
    cases = make_study(make_rows(80, 0, 0)).cases
    text, first = summary(cases)
    again, other = (summary(cases, seed)[1].users for seed in (0, 1))
    assert (text, len(first.users)) == ("reply 1", 1)
    assert first.users[0].count("colour: ") == 20
    assert first.users == again != other
    _, every = summary(make_study(make_rows(7, 0, 0)).cases)
    assert all(f"text: [r{n:03}] Here" in every.users[0] for n in range(7))


def test_a_row_of_two_tests_is_shown_once_and_a_long_value_shortened() -> None:
    case = Case("a[1]", "1", "a", lambda: Outcome(1.0), {"text": "x" * 5000, "facts": ["ü", 1]})
    other = Case("b[1]", "1", "b", case.run, case.columns)
    hidden = Case("a[2]", "2", "a", case.run, {"text": "hidden"}, demo=False)
    _, proposer = summary([case, other, hidden])
    assert proposer.users[0].count("text: xxx") == 1
    assert len(proposer.users[0]) < 800
    assert "characters left out" in proposer.users[0]
    assert "ü" in proposer.users[0]
    assert "hidden" not in "".join(proposer.users)


@given(st.integers(1000, 6000))
def test_no_request_is_longer_than_the_limit(limit: int) -> None:
    case = Case("a[1]", "1", "a", lambda: Outcome(1.0), {f"c{n}": "x" * 400 for n in range(20)})
    _, proposer = summary([case], limit=limit)
    (messages,) = proposer.asked
    assert sum(len(message.content) for message in messages) <= limit
    assert "characters left out" in proposer.users[0]


def test_without_rows_nothing_is_asked() -> None:
    text, proposer = summary([])
    assert (text, proposer.asked) == ("", [])


# Program.


def test_the_program_is_described_from_its_source_without_the_test() -> None:
    runs = runs_of(make_rows(2, 0, 0))
    source = program_source(runs)
    assert "def program(text: str) -> Colour:" in source
    assert source.count("return sort(note=note(text=text))") == 1
    assert "def metric_colour" in source  # the world's metric stands between `run` and program
    assert "def run" not in source
    assert judged.__name__ not in source
    proposer = Proposer()
    asked = asyncio.run(program_summary(runs, (note.signature, sort.signature), proposer.ask))
    assert asked == "reply 1"
    assert source.strip() in proposer.users[0]
    assert (
        "`optimizer_world.sort`: inputs note. The format that it is told by itself: Reply"
        in proposer.users[0]
    )


@step
def near(text: str) -> list[str]:
    """Return what stands near the text."""
    return [text.upper()]


def test_the_source_of_steps_belongs_to_the_program() -> None:
    def metric(row: Row) -> Outcome:
        near(row.text)
        return metric_colour(row)

    runs = runs_of(make_rows(2, 0, 0), {"test": metric})
    source = program_source(runs)
    assert source.count("def near(text: str) -> list[str]:") == 1
    assert "return [text.upper()]" in source


def test_a_short_program_of_one_module_has_nothing_to_describe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs, proposer = runs_of(make_rows(2, 0, 0)), Proposer()
    assert asyncio.run(program_summary([], (sort.signature,), proposer.ask)) == ""
    assert proposer.asked == []
    assert asyncio.run(program_summary(runs, (sort.signature,), proposer.ask)) == ""
    monkeypatch.setattr(proposal_context, "_WORTH_TELLING", 8)  # the world's has nine lines
    assert asyncio.run(program_summary(runs, (sort.signature,), proposer.ask)) == "reply 1"


def test_a_call_made_by_the_test_itself_shows_no_source() -> None:
    study = make_study(make_rows(1, 0, 0))
    (case,) = study.cases

    def bare() -> Outcome:
        note(study.cases[0].columns["text"])
        return Outcome(1.0)

    runs = runs_of(make_rows(1, 0, 0), {"test": metric_colour})
    calls = tuple(
        ModuleCall(**{**call.__dict__, "stack": (bare.__code__,)}) for call in runs[0].calls
    )
    assert program_source([CaseRun(case, 0, Outcome(1.0), calls)]) == ""
    assert program_source([CaseRun(case, 0, Outcome(1.0), ())]) == ""


def test_a_modules_line_names_inputs_and_output() -> None:
    assert module_text(note.signature) == (
        "`optimizer_world.note`: inputs text. It replies in text."
    )
    assert "Reply with `true` or `false`" in module_text(judge.signature)
    described = replace(note.signature)
    described.__dict__["described"] = {"text": "what was said"}
    assert "inputs text (what was said). " in module_text(described)
