"""The baseline: its rows' calls, the cases that decide, and what is held back for them."""

from dataclasses import replace
from pathlib import Path

import pytest
from measured_baseline import measure
from optimizer_world import Row, baseline_of, make_rows, make_study, metric_colour, note, sort
from world_model import WorldClient, answer

from pytest_mipro.errors import BudgetError
from pytest_mipro.optimizer.run.baseline import hold_for_decision
from pytest_mipro.optimizer.study.amount import NOTHING
from pytest_mipro.optimizer.study.case import Outcome
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.prompts.prompt import Prompt

NOTE, SORT = note.signature.prompt_path, sort.signature.prompt_path


def test_a_rows_calls_are_the_distinct_ones_of_all_its_cases() -> None:
    def more(row: Row) -> Outcome:
        text = note(row.text)  # shared with the other test
        sort(text)
        sort.using(temperature=0.7)(text)  # not shared
        sort(text + "?")
        return Outcome(1.0)

    rows = make_rows(2, 2, 0)
    tests = {"test_colour": metric_colour, "test_more": more}
    made = measure(make_study(rows, tests))
    assert made.row_calls == {row.id: 4 for row in rows}
    repeated = measure(make_study(rows, tests, {"test_colour": {"repeats": 3}}))
    assert repeated.row_calls == {row.id: 8 for row in rows}
    assert sum(repeated.row_calls.values()) == repeated.run.accounting.spending.mark


def test_a_corrected_reply_counts_both_its_calls() -> None:
    def wrong_first(request: Request) -> str:
        asked_again = request.messages[-1].content.startswith("Your reply could not be used")
        return answer(request) if asked_again or "<text>" in request.messages[-1].content else "?"

    made = measure(make_study(make_rows(1, 1, 0)), WorldClient(wrong_first))
    assert made.row_calls == {"r000": 3, "r001": 3}


def test_deciding_cases_are_holdout_or_validation() -> None:
    assert {case.row for case in measure(make_study()).baseline.deciding} == {
        f"r{n:03}" for n in range(28, 42)
    }
    small = measure(make_study(make_rows(holdout=3))).baseline
    assert {case.row for case in small.deciding} == set(small.split.validation)
    assert len(small.split.validation) == 19


def test_decision_and_final_pass_are_held_back_as_expected_and_a_quarter_more() -> None:
    with baseline_of(max_calls=1000) as (run, baseline):
        hold_for_decision(run, baseline)
        # 14 rows decide; 12 training rows are new to a finalist; each makes 2 calls
        assert run.ledger.held.calls == 28 * 1.25 + 24 * 1.25
        assert run.ledger.left().calls == 1000 - 84 - 65
    with baseline_of(make_study(make_rows(holdout=0)), max_calls=1000) as (run, baseline):
        hold_for_decision(run, baseline)
        assert run.ledger.held.calls == 24 * 1.25


def test_a_trial_is_expected_to_ask_anew_from_the_first_changed_module_on() -> None:
    def program(path: Path) -> dict[Path, Prompt]:
        return {path: replace(baseline.committed[path], instruction="Anew.")}

    with baseline_of(make_study(make_rows(2, 4, 0))) as (_, baseline):
        rows = baseline.split.validation
        for path, calls in ((NOTE, 2), (SORT, 1)):  # what is noted is sorted
            changed = program(path)
            assert baseline.expects(rows, changed).calls == 2 * len(rows)
            assert baseline.trial_expects(rows, changed).calls == calls * len(rows)
            left = calls * (len(rows) - 1)
            assert baseline.leader_expects(changed, known=rows[:1]).calls == left
        assert baseline.trial_expects(rows, baseline.committed).calls == 2 * len(rows)
        sampled = replace(baseline, search_sample=1)
        assert sampled.trial_expects(rows, changed).calls == 2 * len(rows)


def test_a_full_evaluation_is_of_all_repeats_but_for_the_rows_that_ran_once() -> None:
    for repeats in (1, 3):
        study = make_study(make_rows(2, 4, 0), specs={"test_colour": {"repeats": repeats}})
        with baseline_of(study) as (_, baseline):
            rows = baseline.split.validation
            calls = {
                known: baseline.leader_expects(known=rows[:known]).calls
                for known in (0, 1, len(rows))
            }
            whole = 2 * repeats * len(rows)
            assert calls == {0: whole, 1: whole - 2, len(rows): whole - 2 * len(rows)}
            # Nothing is left to ask, and so no call is in flight.
            assert (baseline.leader_expects(known=rows) == NOTHING) == (repeats == 1)


@pytest.mark.parametrize("left", [0, 51, 64])
def test_what_decision_and_final_pass_need_together_is_refused_at_once(left: int) -> None:
    with baseline_of(max_calls=84 + left) as (run, baseline):
        told = (
            rf"leaves {left} calls, the decision with its final pass needs about 65 calls; "
            "raise it to 149 or more"
        )
        with pytest.raises(BudgetError, match=told):
            hold_for_decision(run, baseline)
