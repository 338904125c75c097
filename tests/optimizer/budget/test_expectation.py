"""What a program is expected to ask beside the committed prompts, by the order of their calls."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from made_runs import call, run
from optimizer_world import note, sort

from pytest_mipro.optimizer.budget.cost_model import CostModel, Sizes
from pytest_mipro.optimizer.budget.expectation import Expectation, calls_by_row
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.optimizer.study.case import CaseRun
from pytest_mipro.runtime.client.contract import Usage
from pytest_mipro.runtime.prompts.prompt import Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path
COMMITTED = {NOTE: Prompt("Note."), SORT: Prompt("Sort.")}


def _case(row: str, *modules: Any) -> CaseRun:
    """A case whose calls began in this order, each with other inputs."""
    calls = [
        replace(call(each, f"{row}{place}", "y"), place=place, usage=Usage(10, 1))
        for place, each in enumerate(modules)
    ]
    return run(row, 1.0, *reversed(calls))


def _asked(cases: list[CaseRun], *changed: Path) -> int:
    """Return the calls expected of a program with these prompts changed, on all rows."""
    sizes = Sizes({}, Amount(1))
    made = Expectation(calls_by_row(cases), COMMITTED, CostModel(), sizes)
    program = {path: replace(COMMITTED[path], instruction="Anew.") for path in changed}
    return made.beside_committed([case.case.row for case in cases], program).calls


def test_calls_that_follow_from_no_changed_module_are_known() -> None:
    cases = [_case("a", note, sort), _case("b", note, sort, sort)]
    assert _asked(cases, NOTE) == 5
    assert _asked(cases, SORT) == 3
    assert _asked(cases, NOTE, SORT) == 5
    assert _asked(cases) == 5  # the committed prompts themselves


def test_what_a_loop_calls_again_follows_from_all_within_it() -> None:
    assert _asked([_case("a", note, sort, note)], SORT) == 3


def test_modules_called_at_once_follow_from_each_other() -> None:
    """So that the end of a search does not depend on which of them began first, where."""
    cases = [_case("a", note, sort), _case("b", sort, note)]
    assert _asked(cases, SORT) == _asked(cases, NOTE) == 4


def test_calls_of_an_own_client_with_equal_inputs_are_told_apart_by_their_requests() -> None:
    """Such as a prompt text's calls whose questions are equal, and their tools or formats not."""
    made = replace(call(note, "a", "y"), place=1, usage=Usage(10, 1))
    typed, plain = replace(made, digest="1"), replace(made, digest="2")
    cases = [run("a", 1.0, typed, plain), run("a", 1.0, typed, test="other")]
    assert _asked(cases[:1]) == 2
    assert calls_by_row(cases).by_row == {"a": (typed, plain)}
